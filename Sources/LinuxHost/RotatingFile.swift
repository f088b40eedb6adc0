// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A log of lines that is kept below a size: beyond it `log` becomes `log.1`, that `log.2`, and the last one goes.
///
/// Opened anew for each delivery, so that others may rotate it too. Calls block, and must not overlap.
package struct RotatingFile: Sendable {
    package let path: String
    /// Of one file; a single longer line makes a file of its own.
    package let bytesMax: Int
    /// Counting the one being written.
    package let filesMax: Int

    package init(path: String, bytesMax: Int, filesMax: Int) {
        self.path = path
        self.bytesMax = bytesMax
        self.filesMax = filesMax
    }

    /// What became of a delivery.
    package struct Outcome: Sendable {
        /// The first of the lines, which are whole in the file.
        package let written: Int
        /// Why the rest is not; nil: all are.
        package let problem: HostError?

        package init(written: Int, problem: HostError?) {
            self.written = written
            self.problem = problem
        }
    }

    /// Adds lines, each with its line feed.
    package func append(_ lines: [[UInt8]]) -> Outcome {
        var written = 0
        do throws(HostError) {
            while written < lines.count { written += try appendSome(lines[written...]) }
            return Outcome(written: written, problem: nil)
        } catch {
            return Outcome(written: written, problem: error)
        }
    }

    /// As many as there is room for in one file: at least one, all of them or none; returns how many.
    private func appendSome(_ lines: ArraySlice<[UInt8]>) throws(HostError) -> Int {
        let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else {
            let remedy =
                errno == ENOENT ? "make its directory" : "it must be a file that the agent may write, not a link"
            throw HostError.last("open \(path)", remedy: remedy)
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw HostError("write \(path)", code: EINVAL, remedy: "it is not a regular file")
        }
        let size = Int(status.st_size)
        var bytes: [UInt8] = []
        var count = 0
        for line in lines {
            guard size + bytes.count + line.count <= bytesMax || size + count == 0 else { break }
            bytes += line
            count += 1
        }
        guard count > 0 else {
            try rotate()
            return 0
        }
        try write(bytes, descriptor, from: size)
        return count
    }

    private func write(_ bytes: [UInt8], _ descriptor: Int32, from size: Int) throws(HostError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let error = HostError.last("write \(path)", remedy: "free space on that file system")
                // Half a line would spoil the one behind it.
                _ = ftruncate(descriptor, off_t(size))
                throw error
            }
            written += count
        }
    }

    private func rotate() throws(HostError) {
        guard filesMax > 1 else {
            guard unsafe unlink(path) == 0 else { throw HostError.last("remove \(path)") }
            return
        }
        for number in stride(from: filesMax - 1, through: 1, by: -1) {
            let former = number == 1 ? path : "\(path).\(number - 1)"
            guard unsafe rename(former, "\(path).\(number)") == 0 || errno == ENOENT else {
                throw HostError.last("rename \(former)")
            }
        }
    }
}
