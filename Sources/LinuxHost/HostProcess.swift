// SPDX-License-Identifier: Apache-2.0

/// A process as procfs shows it.
package struct HostProcess: Hashable, Sendable {
    package let pid: Int32
    /// Path below the cgroup2 root (the `0::` line); `/` is the root itself.
    package let cgroupPath: String
    /// Inode of its network namespace.
    package let networkNamespaceInode: UInt64

    /// Reads one process.
    /// - Throws: `ENOENT` or `ESRCH` if it has ended.
    package init(pid: Int32, procfs: String = "/proc") throws(HostError) {
        self.pid = pid
        self.cgroupPath = Self.unifiedPath(try readTextFile("\(procfs)/\(pid)/cgroup")) ?? "/"
        self.networkNamespaceInode = try NetworkNamespace.path("\(procfs)/\(pid)/ns/net").inode()
    }

    /// All processes; those that end while the list is read are left out, kernel threads too.
    package static func all(procfs: String = "/proc") throws(HostError) -> [HostProcess] {
        try directoryEntries(procfs).compactMap { Int32($0) }.sorted().compactMap { pid in
            try? HostProcess(pid: pid, procfs: procfs)
        }
    }

    /// When a process started, in clock ticks since boot; nil if it has ended.
    package static func startTime(_ pid: Int32, procfs: String = "/proc") -> UInt64? {
        // The second field is the program's name in brackets, with whatever it likes inside.
        guard let text = try? readTextFile("\(procfs)/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[end...].split(separator: " ")
        return fields.count > 20 ? UInt64(fields[20]) : nil
    }

    /// The path of the cgroup2 hierarchy in the content of `/proc/PID/cgroup`; nil without cgroup2.
    static func unifiedPath(_ content: String) -> String? {
        content.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
    }
}
