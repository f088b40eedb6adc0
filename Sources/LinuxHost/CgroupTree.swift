// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A directory of the cgroup2 hierarchy.
package struct Cgroup: Hashable, Sendable {
    /// From the root of the hierarchy: `/system.slice/web.service`.
    package let path: String
    /// The kernel's number for it: the inode of its directory.
    package let id: UInt64

    package init(path: String, id: UInt64) {
        self.path = path
        self.id = id
    }

    /// How far it is below the root.
    package var level: Int { path.split(separator: "/").count }

    /// Its own name: that of the unit for which systemd made it.
    package var name: String { path.split(separator: "/").last.map(String.init) ?? "" }
}

/// Finds cgroups below the root of the hierarchy.
package struct CgroupTree: Sendable {
    /// Where the hierarchy is mounted.
    package let root: String

    package init(root: String) { self.root = root }

    /// Deeper slices are not looked into.
    private static let depthMax = 12

    /// The cgroup at a path from the root; nil if there is none.
    package func cgroup(at path: String) -> Cgroup? {
        let clean = "/" + path.split(separator: "/").joined(separator: "/")
        var info = stat()
        guard unsafe stat(root + clean, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { return nil }
        return Cgroup(path: clean, id: UInt64(info.st_ino))
    }

    /// What systemd's slices hold: the directories to look at for changes, and the cgroups of units.
    ///
    /// Slices of users are left out: who owns one may make cgroups of any name in it.
    package func units() -> (directories: [String], units: [Cgroup]) {
        var directories = [root]
        var units: [Cgroup] = []
        var pending = [""]
        while let parent = pending.popLast() {
            for name in (try? directoryEntries(root + parent)) ?? [] where name != "user.slice" {
                let path = "\(parent)/\(name)"
                if name.hasSuffix(".slice") {
                    guard let slice = cgroup(at: path) else { continue }
                    units.append(slice)
                    directories.append(root + path)
                    if slice.level < CgroupTree.depthMax { pending.append(path) }
                } else if !parent.isEmpty, CgroupTree.isUnit(name), let unit = cgroup(at: path) {
                    units.append(unit)
                } else if parent.isEmpty, name.hasSuffix(".scope"), let unit = cgroup(at: path) {
                    units.append(unit)
                }
            }
        }
        return (directories, units.sorted { $0.path < $1.path })
    }

    /// Directories in which the cgroup at a path comes and goes: those around it that exist.
    package func directories(around path: String) -> [String] {
        var directories = [root], directory = root
        for part in path.split(separator: "/").dropLast() {
            directory += "/\(part)"
            var info = stat()
            guard unsafe stat(directory, &info) == 0 else { break }
            directories.append(directory)
        }
        return directories
    }

    private static func isUnit(_ name: String) -> Bool {
        [".service", ".scope", ".socket", ".mount", ".swap"].contains { name.hasSuffix($0) }
    }
}
