// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost

/// Files that are either the old or the new version, whatever happens in between.
enum AtomicFile {
    /// Writes beside the file, syncs, renames over it and syncs the directory.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o600) throws(HostError) {
        let temporary = path + ".new"
        do throws(HostError) {
            try writeAndSync(bytes, to: temporary, mode: mode)
            guard unsafe rename(temporary, path) == 0 else { throw HostError.last("replace \(path)") }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        syncDirectory(of: path)
    }

    private static func writeAndSync(_ bytes: [UInt8], to path: String, mode: mode_t) throws(HostError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw HostError.last("create \(path)") }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw HostError.last("write \(path)", remedy: "free space on that file system; the old file stays")
            }
            written += count
        }
        guard fsync(descriptor) == 0 else { throw HostError.last("sync \(path)") }
    }

    /// Makes the rename itself durable.
    ///
    /// Best effort: some file systems refuse to sync a directory.
    private static func syncDirectory(of path: String) {
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let descriptor = unsafe open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}

/// Makes a directory and those above it.
func createDirectory(_ path: String, mode: mode_t = 0o755) throws(HostError) {
    var partial = path.hasPrefix("/") ? "" : "."
    for component in path.split(separator: "/") {
        partial += "/\(component)"
        if unsafe mkdir(partial, mode) != 0 && errno != EEXIST { throw HostError.last("create directory \(partial)") }
    }
}
