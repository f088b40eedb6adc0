// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Takes away everything that agents have pinned below a folder of the BPF file system, also where one still runs.
func removePins(below root: String) {
    let files = FileManager.default
    for version in (try? files.contentsOfDirectory(atPath: root)) ?? [] {
        for folder in ["links", "programs", "maps"] {
            let path = "\(root)/\(version)/\(folder)"
            for name in (try? files.contentsOfDirectory(atPath: path)) ?? [] { unsafe unlink("\(path)/\(name)") }
            unsafe rmdir(path)
        }
        unsafe rmdir("\(root)/\(version)")
    }
    unsafe rmdir(root)
}
