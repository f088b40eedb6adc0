// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

extension FileDescriptor {
    /// Makes a memory-mapped array that belongs to no object: one that goes into an array of maps.
    ///
    /// Such arrays may differ in their number of elements (`BPF_F_INNER_MAP`).
    package static func innerArray(name: String, valueSize: Int, entryCount: Int) throws(BPFError) -> FileDescriptor {
        var options = bpf_map_create_opts()
        options.sz = optionsSize(upTo: \bpf_map_create_opts.map_ifindex)
        options.map_flags = UInt32(BPF_F_MMAPABLE) | UInt32(BPF_F_INNER_MAP)
        let result = unsafe bpf_map_create(
            BPF_MAP_TYPE_ARRAY, name, 4, UInt32(valueSize), UInt32(entryCount), &options)
        return try FileDescriptor(
            owning: check(result, "make the array \(name) of \(entryCount) times \(valueSize) bytes"))
    }

    /// Puts a map into a slot of an array of maps; returns once no program looks into what was there before.
    package func install(into outer: borrowing FileDescriptor, slot: UInt32) throws(BPFError) {
        let value = rawValue
        let result = unsafe withUnsafePointer(to: slot) { key in
            unsafe withUnsafePointer(to: value) { unsafe bpf_map_update_elem(outer.rawValue, key, $0, 0) }
        }
        try check(result, "put a map into slot \(slot) of an array of maps")
    }

    /// Empties a slot of an array of maps; false if it was empty.
    @discardableResult
    package func clear(slot: UInt32) throws(BPFError) -> Bool {
        let result = unsafe withUnsafePointer(to: slot) { unsafe bpf_map_delete_elem(rawValue, $0) }
        guard result != -ENOENT else { return false }
        try check(result, "empty slot \(slot) of an array of maps")
        return true
    }
}
