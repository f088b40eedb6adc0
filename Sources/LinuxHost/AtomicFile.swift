// SPDX-License-Identifier: Apache-2.0

package import Glibc

/// Files that are either the old or the new version, whatever happens in between.
package enum AtomicFile {
    /// Ends the name of what is written but not published.
    package static let stagedSuffix = ".new"

    /// Writes beside the file, syncs, renames over it and syncs the directory.
    ///
    /// `isSynced`: false for what need not outlive the machine's next start.
    package static func write(
        _ bytes: [UInt8], to path: String, mode: mode_t = 0o600, isSynced: Bool = true
    ) throws(HostError) {
        try stage(bytes, for: path, mode: mode, isSynced: isSynced)
        do throws(HostError) {
            try publish(path, isSynced: isSynced)
        } catch {
            discard(path)
            throw error
        }
    }

    /// The same for what is too much to be in memory at once: `body` hands out one part after the other.
    package static func write(
        to path: String, mode: mode_t = 0o600,
        _ body: (_ put: ([UInt8]) throws(HostError) -> Void) throws(HostError) -> Void
    ) throws(HostError) {
        let staged = path + stagedSuffix
        do throws(HostError) {
            let descriptor = unsafe open(staged, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
            guard descriptor >= 0 else { throw HostError.last("create \(staged)") }
            defer { close(descriptor) }
            try body { part throws(HostError) in try write(part, to: descriptor, staged) }
            guard fsync(descriptor) == 0 else { throw HostError.last("sync \(staged)") }
        } catch {
            discard(path)
            throw error
        }
        do throws(HostError) {
            try publish(path)
        } catch {
            discard(path)
            throw error
        }
    }

    /// Writes beside the file and syncs; leaves nothing if that fails.
    package static func stage(
        _ bytes: [UInt8], for path: String, mode: mode_t = 0o600, isSynced: Bool = true
    ) throws(HostError) {
        do throws(HostError) {
            try create(bytes, at: path + stagedSuffix, mode: mode, isSynced: isSynced)
        } catch {
            discard(path)
            throw error
        }
    }

    /// Renames what is staged over the file and syncs the directory.
    package static func publish(_ path: String, isSynced: Bool = true) throws(HostError) {
        guard unsafe rename(path + stagedSuffix, path) == 0 else { throw HostError.last("replace \(path)") }
        if isSynced { syncDirectory(of: path) }
    }

    /// Removes what is staged, if anything is.
    package static func discard(_ path: String) { unsafe unlink(path + stagedSuffix) }

    /// Adds bytes behind the first `length` bytes of a file, which it has at least, and syncs.
    ///
    /// What lies behind them (the rest of an addition that failed) goes.
    package static func append(_ bytes: [UInt8], to path: String, at length: Int) throws(HostError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw HostError.last("open \(path)") }
        defer { close(descriptor) }
        guard ftruncate(descriptor, length) == 0, lseek(descriptor, 0, SEEK_END) == length else {
            throw HostError.last("extend \(path)")
        }
        try write(bytes, to: descriptor, path)
        guard fdatasync(descriptor) == 0 else { throw HostError.last("sync \(path)") }
        if length == 0 { syncDirectory(of: path) }
    }

    private static func create(
        _ bytes: [UInt8], at path: String, mode: mode_t, isSynced: Bool
    ) throws(HostError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw HostError.last("create \(path)") }
        defer { close(descriptor) }
        try write(bytes, to: descriptor, path)
        guard !isSynced || fsync(descriptor) == 0 else { throw HostError.last("sync \(path)") }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(HostError) {
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
    }

    /// Makes the rename itself durable.
    ///
    /// Best effort: some file systems refuse to sync a directory.
    package static func syncDirectory(of path: String) {
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let descriptor = unsafe open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}

/// Makes a directory and those above it.
package func createDirectory(_ path: String, mode: mode_t = 0o755) throws(HostError) {
    var partial = path.hasPrefix("/") ? "" : "."
    for component in path.split(separator: "/") {
        partial += "/\(component)"
        if unsafe mkdir(partial, mode) != 0 && errno != EEXIST { throw HostError.last("create directory \(partial)") }
    }
}
