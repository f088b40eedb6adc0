// SPDX-License-Identifier: Apache-2.0

/// Where the cgroup2 hierarchy is mounted.
package enum CgroupRoot {
    /// Finds the mount point: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on a hybrid host.
    ///
    /// nil without cgroup2.
    package static func find() throws(HostError) -> String? {
        find(inMountInfo: try readTextFile("/proc/self/mountinfo", bytesMax: 16 << 20))
    }

    /// The first cgroup2 mount of the whole hierarchy (root `/`), else the first of any part of it.
    static func find(inMountInfo content: String) -> String? {
        var partial: String?
        for line in content.split(separator: "\n") {
            // id parent major:minor root mountpoint options… - type source superoptions
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 1,
                fields[dash + 1] == "cgroup2"
            else { continue }
            let mountPoint = unescape(fields[4])
            if fields[3] == "/" { return mountPoint }
            partial = partial ?? mountPoint
        }
        return partial
    }

    /// The kernel writes blank, tab, newline and backslash as `\ooo`.
    private static func unescape(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = field.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
