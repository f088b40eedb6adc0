// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost

/// Binds Unix sockets so that there is never a moment with the wrong mode, and never two servers on one path.
enum SocketListener {
    private static let backlog: Int32 = 128

    /// Binds, sets mode and group, listens, and only then puts the socket at its path.
    ///
    /// - Returns: a listening descriptor.
    /// - Throws: `LocalHTTPError` if a live server has the path, or something that is no socket.
    static func listen(at path: String, mode: UInt32, groupID: UInt32?) throws -> Int32 {
        try checkFree(path)
        let temporary = "\(path).\(getpid())"
        _ = unsafe unlink(temporary)
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw failure(path) }
        do {
            var address = try socketAddress(temporary)
            let length = socklen_t(MemoryLayout<sockaddr_un>.size)
            let result = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(number, $0, length) }
            }
            guard result == 0 else { throw failure(path) }
            guard unsafe chmod(temporary, mode) == 0 else { throw failure(path) }
            if let groupID, unsafe chown(temporary, uid_t.max, groupID) != 0 { throw failure(path) }
            guard Glibc.listen(number, backlog) == 0 else { throw failure(path) }
            // Replaces a stale socket in one step.
            guard unsafe rename(temporary, path) == 0 else { throw failure(path) }
            return number
        } catch {
            _ = unsafe unlink(temporary)
            _ = close(number)
            throw error
        }
    }

    /// The inode of what is at a path; nil if nothing is.
    static func inode(_ path: String) -> UInt64? {
        var info = stat()
        return unsafe lstat(path, &info) == 0 ? UInt64(info.st_ino) : nil
    }

    private static func checkFree(_ path: String) throws {
        var info = stat()
        guard unsafe lstat(path, &info) == 0 else { return }
        guard info.st_mode & S_IFMT == S_IFSOCK else {
            throw LocalHTTPError(
                .unusablePath, socketPath: path, reason: "a file that is no socket is in the way; remove it")
        }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw failure(path) }
        defer { close(probe) }
        var address = try socketAddress(path)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // Refused: the file is left over from a server that is gone. Anything else but success is not for us to judge.
        guard result != 0 && errno == ECONNREFUSED else {
            throw LocalHTTPError(
                .unusablePath, socketPath: path,
                reason: "another process is listening on it; stop that one, or choose another path")
        }
    }

    private static func socketAddress(_ path: String) throws -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room else {
            throw LocalHTTPError(
                .unusablePath, socketPath: path,
                reason: "with the process id appended it must be shorter than \(room) bytes; choose a shorter path")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return address
    }

    private static func failure(_ path: String) -> LocalHTTPError {
        LocalHTTPError(.unusablePath, socketPath: path, reason: errnoText(errno))
    }
}
