// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost

/// Adds JSON lines to a file, which others may rotate at any time: it is opened anew for each delivery.
package struct FileSink: AlertSink {
    package let path: String

    package init(path: String) { self.path = path }

    package func deliver(_ notices: [SinkNotice]) async -> SinkDelivery {
        let path = self.path
        let bytes = notices.flatMap { $0.line + [UInt8(ascii: "\n")] }
        do {
            // A file system that hangs holds no thread that others need.
            try await DedicatedThread.run(name: "alert-file") { try FileSink.append(bytes, to: path) }
            return SinkDelivery(delivered: notices.count)
        } catch {
            return SinkDelivery(delivered: 0, failure: SinkError("\(error)"))
        }
    }

    /// All of it or nothing.
    private static func append(_ bytes: [UInt8], to path: String) throws(HostError) {
        let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else { throw HostError.last("open \(path)", remedy: "it must be a file, not a link") }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw HostError("write \(path)", code: EINVAL, remedy: "it is not a regular file")
        }
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe write(descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let error = HostError.last("write \(path)", remedy: "free space on that file system")
                // Half a line would spoil the one behind it.
                _ = ftruncate(descriptor, status.st_size)
                throw error
            }
            written += count
        }
    }
}
