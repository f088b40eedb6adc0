// SPDX-License-Identifier: Apache-2.0

import FeedReading
import Glibc
import LinuxHost

/// The files of one feed: what they are now, and what is in them.
struct FeedFiles {
    let feed: ShieldConfiguration.Feed

    /// Larger files are refused: ten million lines of addresses.
    static let bytesMax = 256 << 20

    /// Changes with any file of the feed.
    struct Stamp: Hashable, Sendable {
        struct File: Hashable, Sendable {
            var path: String
            var inode: UInt64
            var size: Int64
            var seconds: Int
            var nanoseconds: Int
        }

        var files: [File] = []
    }

    /// Empty if there is nothing.
    func stamp() -> Stamp { Stamp(files: paths().compactMap(Self.file)) }

    /// Everything that the files say.
    ///
    /// Throws if one cannot be read.
    func read() throws -> FeedContent {
        var content = FeedContent()
        let paths = paths()
        guard !paths.isEmpty else { throw AgentError("\(feed.path): there is no such file or directory") }
        for path in paths {
            let bytes = try readRegularFile(path, bytesMax: FeedFiles.bytesMax)
            content.append(FeedReader(file: path, allowsWidePrefixes: feed.allowsWidePrefixes).read(bytes))
        }
        return content
    }

    /// Of a directory all files but hidden ones, in the order of their names.
    private func paths() -> [String] {
        var status = stat()
        guard unsafe stat(feed.path, &status) == 0 else { return [] }
        guard status.st_mode & S_IFMT == S_IFDIR else { return [feed.path] }
        let names = (try? directoryEntries(feed.path)) ?? []
        return names.filter { !$0.hasPrefix(".") && !$0.hasSuffix("~") }.sorted().map { "\(feed.path)/\($0)" }
            .filter { path in
                var status = stat()
                return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            }
    }

    private static func file(_ path: String) -> Stamp.File? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Stamp.File(
            path: path, inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
    }
}
