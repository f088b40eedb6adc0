// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What is mounted where, as a process sees it.
package enum MountTable {
    /// True if the file system that holds `path` is mounted for the host's first process too; nil if that cannot be read.
    ///
    /// What is mounted in a private mount namespace alone goes with the last process in it.
    package static func isSeenByInit(_ path: String) -> Bool? {
        var status = stat()
        guard unsafe stat(path, &status) == 0, let table = try? readTextFile("/proc/1/mountinfo") else { return nil }
        // MAJOR:MINOR is the third field (proc_pid_mountinfo(5)); stat has it in the C library's encoding.
        let device = status.st_dev
        let major = device >> 32 & 0xffff_f000 | device >> 8 & 0xfff
        let minor = device >> 12 & 0xffff_ff00 | device & 0xff
        return table.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ", maxSplits: 3)
            return fields.count > 2 && fields[2] == "\(major):\(minor)"
        }
    }
}
