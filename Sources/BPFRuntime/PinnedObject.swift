// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinuxShim
import Glibc

/// Pins: names in a BPF file system that keep kernel objects alive without a process.
extension FileDescriptor {
    /// Opens what is pinned at a path; nil if nothing is.
    package static func pinned(at path: String) throws(BPFError) -> FileDescriptor? {
        let result = unsafe bpf_obj_get(path)
        guard result != -ENOENT else { return nil }
        return try FileDescriptor(owning: check(result, "open the pinned object \(path)"))
    }

    /// Pins the object; `EEXIST` if the name is taken.
    package func pin(at path: String) throws(BPFError) {
        try check(unsafe bpf_obj_pin(rawValue, path), "pin \(path)")
    }
}

/// Removes a pin; false if there was none.
///
/// The object goes once nothing else refers to it.
@discardableResult
package func unpin(_ path: String) throws(BPFError) -> Bool {
    let result = unsafe unlink(path)
    let number = errno
    guard result != 0 else { return true }
    guard number == ENOENT else { throw BPFError(errno: number, operation: "remove the pin \(path)") }
    return false
}
