// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

/// Whether an update may create, must create or must find the entry.
package enum UpdateMode: UInt64, Sendable {
    case any = 0
    case onlyNew = 1
    case onlyExisting = 2
}

/// A kernel map whose keys and values have the C layouts `Key` and `Value`, checked when it is opened.
package struct BPFMap<Key: BitwiseCopyable & Sendable, Value: BitwiseCopyable & Sendable>: ~Copyable, Sendable {
    package let descriptor: FileDescriptor
    package let name: String
    package let definition: MapDefinition

    /// Wraps a descriptor; throws `EINVAL` if the kernel's key or value size differs from the Swift type's.
    package init(descriptor: consuming FileDescriptor, name: String) throws(BPFError) {
        let definition = try MapDefinition(of: descriptor, name: name)
        guard definition.keySize == MemoryLayout<Key>.size, definition.valueSize == MemoryLayout<Value>.size else {
            throw BPFError(
                errno: EINVAL,
                operation: "open \(name) with \(MemoryLayout<Key>.size)-byte keys and "
                    + "\(MemoryLayout<Value>.size)-byte values (the kernel's are \(definition.keySize) and "
                    + "\(definition.valueSize))")
        }
        self.descriptor = descriptor
        self.name = name
        self.definition = definition
    }

    /// The value of a key, or nil.
    package func value(for key: Key) throws(BPFError) -> Value? {
        precondition(!definition.isPerCPU, "a per-CPU map has many values for a key")
        var result: Int32 = 0
        let value = unsafe withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { buffer -> Value? in
            result = unsafe withUnsafePointer(to: key) {
                unsafe bpf_map_lookup_elem(descriptor.rawValue, $0, buffer.baseAddress)
            }
            return result == 0 ? unsafe buffer[0] : nil
        }
        guard result != -ENOENT else { return nil }
        try check(result, "look up in \(name)")
        return value
    }

    /// The values of a key on every possible CPU, or nil.
    package func valuesPerCPU(for key: Key) throws(BPFError) -> [Value]? {
        precondition(definition.isPerCPU, "not a per-CPU map")
        let stride = definition.elementStride
        let count = try possibleCPUCount()
        var result: Int32 = 0
        let values = unsafe withUnsafeTemporaryAllocation(byteCount: count * stride, alignment: 8) {
            buffer -> [Value] in
            result = unsafe withUnsafePointer(to: key) {
                unsafe bpf_map_lookup_elem(descriptor.rawValue, $0, buffer.baseAddress)
            }
            guard result == 0 else { return [] }
            return (0..<count).map { unsafe buffer.loadUnaligned(fromByteOffset: $0 * stride, as: Value.self) }
        }
        guard result != -ENOENT else { return nil }
        try check(result, "look up in \(name)")
        return values
    }

    /// Writes one entry.
    ///
    /// `EEXIST` or `ENOENT` if `mode` is not met, `E2BIG` if the map is full.
    package func update(_ key: Key, to value: Value, mode: UpdateMode = .any) throws(BPFError) {
        let result = unsafe withUnsafePointer(to: key) { key in
            unsafe withUnsafePointer(to: value) { value in
                unsafe bpf_map_update_elem(descriptor.rawValue, key, value, mode.rawValue)
            }
        }
        try check(result, "update \(name)")
    }

    /// Deletes one entry; false if it was not there.
    @discardableResult
    package func remove(_ key: Key) throws(BPFError) -> Bool {
        let result = unsafe withUnsafePointer(to: key) { unsafe bpf_map_delete_elem(descriptor.rawValue, $0) }
        guard result != -ENOENT else { return false }
        try check(result, "delete from \(name)")
        return true
    }
}

/// Number of CPUs that this kernel may ever bring up: the length of every per-CPU value.
package func possibleCPUCount() throws(BPFError) -> Int { try Int(check(libbpf_num_possible_cpus(), "count the CPUs")) }
