// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Reads a whole file.
/// - Parameter bytesMax: a longer file is refused with `EFBIG` before more is read.
package func readFile(_ path: String, bytesMax: Int = 1 << 20) throws(HostError) -> [UInt8] {
    try readAll(OwnedDescriptor(opening: path, purpose: "file"), path, bytesMax)
}

private func readAll(_ file: borrowing OwnedDescriptor, _ path: String, _ bytesMax: Int) throws(HostError) -> [UInt8] {
    var content: [UInt8] = []
    // procfs files have no size to ask for: read until the end.
    var chunk = [UInt8](repeating: 0, count: min(bytesMax, 65_536) + 1)
    while true {
        let count = unsafe read(file.rawValue, &chunk, chunk.count)
        if count < 0 {
            if errno == EINTR { continue }
            throw HostError.last("read \(path)")
        }
        if count == 0 { return content }
        content += chunk[..<count]
        guard content.count <= bytesMax else {
            throw HostError("read \(path)", code: EFBIG, remedy: "at most \(bytesMax) bytes are accepted")
        }
    }
}

/// Reads a whole file that people put somewhere to be read: a regular one, or a link to one.
///
/// Anything else (a directory, a pipe nobody writes to, a device) is refused with `EINVAL`; nothing blocks, not even a file of
/// the kernel's that waits for more (`/proc/kmsg`).
/// - Parameter bytesMax: a longer file is refused with `EFBIG` before anything is read.
package func readRegularFile(_ path: String, bytesMax: Int) throws(HostError) -> [UInt8] {
    let file = try OwnedDescriptor(opening: path, flags: O_RDONLY | O_NONBLOCK, purpose: "file")
    var status = stat()
    guard unsafe fstat(file.rawValue, &status) == 0 else { throw HostError.last("read \(path)") }
    guard status.st_mode & S_IFMT == S_IFREG else {
        throw HostError("read \(path)", code: EINVAL, remedy: "it is not a regular file")
    }
    guard status.st_size <= bytesMax else {
        throw HostError(
            "read \(path)", code: EFBIG,
            remedy: "it has \(status.st_size) bytes, at most \(bytesMax) are accepted: split it into several files")
    }
    // What was looked at is what is read: the name may stand for another file by now.
    return try readAll(file, path, bytesMax)
}

/// Reads a whole file as UTF-8 text; bytes that are none become U+FFFD.
package func readTextFile(_ path: String, bytesMax: Int = 1 << 20) throws(HostError) -> String {
    String(decoding: try readFile(path, bytesMax: bytesMax), as: UTF8.self)
}

/// The names in a directory, without `.` and `..`, in no order.
package func directoryEntries(_ path: String) throws(HostError) -> [String] {
    guard let directory = unsafe opendir(path) else { throw HostError.last("list directory \(path)") }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
            unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}
