// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

/// What two maps must agree on to stand for each other.
package struct MapDefinition: Hashable, Sendable {
    /// `BPF_MAP_TYPE_*`.
    package var type: UInt32
    /// Bytes.
    package var keySize: Int
    /// Bytes; of one CPU's value for per-CPU maps.
    package var valueSize: Int
    package var entryCountMax: Int
    /// `BPF_F_*` of map creation.
    package var flags: UInt32

    package init(type: UInt32, keySize: Int, valueSize: Int, entryCountMax: Int, flags: UInt32) {
        self.type = type
        self.keySize = keySize
        self.valueSize = valueSize
        self.entryCountMax = entryCountMax
        self.flags = flags
    }

    /// Reads the definition of a map in the kernel.
    package init(of descriptor: borrowing FileDescriptor, name: String) throws(BPFError) {
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        try check(unsafe bpf_obj_get_info_by_fd(descriptor.rawValue, &info, &size), "read the definition of \(name)")
        self.init(
            type: info.type, keySize: Int(info.key_size), valueSize: Int(info.value_size),
            entryCountMax: Int(info.max_entries), flags: info.map_flags)
    }

    var isPerCPU: Bool {
        [BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH].contains {
            $0.rawValue == type
        }
    }

    var isMemoryMapped: Bool { flags & UInt32(BPF_F_MMAPABLE) != 0 }

    /// Bytes from one array element to the next; the kernel rounds values up to eight.
    package var elementStride: Int { (valueSize + 7) & ~7 }
}
