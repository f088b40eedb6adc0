// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Takes away everything that agents have pinned below a folder of the BPF file system, also where one still runs.
///
/// What stayed would be adopted by the next agent there, with all that its sensors have seen.
func removePins(below root: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [] {
        let path = "\(root)/\(name)"
        if unsafe unlink(path) != 0 { removePins(below: path) }
    }
    unsafe rmdir(root)
}
