// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

// Many entries per system call: a million entries are read in a third of a second.
extension BPFMap {
    /// Writes many entries; stops at the first that fails.
    package func update(_ entries: [(key: Key, value: Value)]) throws(BPFError) {
        guard !entries.isEmpty else { return }
        let keys = entries.map(\.key)
        let values = entries.map(\.value)
        var count = UInt32(entries.count)
        var options = batchOptions
        let result = unsafe keys.withUnsafeBytes { keys in
            unsafe values.withUnsafeBytes { values in
                unsafe bpf_map_update_batch(
                    descriptor.rawValue, keys.baseAddress, values.baseAddress, &count, &options)
            }
        }
        try check(result, "update \(entries.count) entries of \(name) (\(count) done)")
    }

    /// Deletes the keys that are there; returns how many were.
    ///
    /// Safe while the kernel deletes too.
    @discardableResult
    package func remove(_ keys: [Key]) throws(BPFError) -> Int {
        var removed = 0
        var rest = keys[...]
        while !rest.isEmpty {
            var count = UInt32(rest.count)
            var options = batchOptions
            let result = unsafe rest.withUnsafeBytes {
                unsafe bpf_map_delete_batch(descriptor.rawValue, $0.baseAddress, &count, &options)
            }
            removed += Int(count)
            guard result != 0 else { break }
            guard result == -ENOENT else {
                throw BPFError(errno: -result, operation: "delete \(keys.count) entries of \(name)")
            }
            // The batch stops at a key that is gone: step over it.
            rest = rest.dropFirst(Int(count) + 1)
        }
        return removed
    }

    /// Calls `body` for every entry of a hash map, reading in chunks.
    ///
    /// Entries that appear or go meanwhile may or may not be seen. A bucket with more entries than a chunk holds makes
    /// the kernel ask for more room (`ENOSPC`): the chunk is doubled and the read goes on.
    package func forEach(chunkEntryCount: Int = 4096, _ body: (Key, Value) -> Void) throws(BPFError) {
        precondition(!definition.isPerCPU, "a per-CPU map has many values for a key")
        // The position is a bucket number for hash maps and at most a key for others.
        let positionSize = max(MemoryLayout<Key>.size, 8)
        var position = [UInt8](repeating: 0, count: positionSize)
        var isFirst = true
        var capacity = chunkEntryCount
        while true {
            var next = [UInt8](repeating: 0, count: positionSize)
            var count = UInt32(capacity)
            let result = readChunk(
                after: isFirst ? nil : position, next: &next, count: &count, capacity: capacity, body)
            if result == -ENOSPC, capacity < definition.entryCountMax {
                capacity *= 2
                continue
            }
            guard result == 0 || result == -ENOENT else {
                throw BPFError(errno: -result, operation: "read the entries of \(name)")
            }
            guard result == 0 else { return }
            position = next
            isFirst = false
        }
    }

    private func readChunk(
        after position: [UInt8]?, next: inout [UInt8], count: inout UInt32, capacity: Int,
        _ body: (Key, Value) -> Void
    ) -> Int32 {
        var options = batchOptions
        return unsafe withUnsafeTemporaryAllocation(of: Key.self, capacity: capacity) { keys in
            unsafe withUnsafeTemporaryAllocation(of: Value.self, capacity: capacity) { values in
                var start = position ?? [0]
                let result = unsafe start.withUnsafeMutableBytes { start in
                    unsafe bpf_map_lookup_batch(
                        descriptor.rawValue, position == nil ? nil : start.baseAddress, &next, keys.baseAddress,
                        values.baseAddress, &count, &options)
                }
                // ENOENT ends the map and still delivers what was read; any other error leaves `count` meaningless.
                guard result == 0 || result == -ENOENT else { return result }
                for index in 0..<Int(count) { unsafe body(keys[index], values[index]) }
                return result
            }
        }
    }

    private var batchOptions: bpf_map_batch_opts {
        var options = bpf_map_batch_opts()
        options.sz = MemoryLayout<bpf_map_batch_opts>.size
        return options
    }
}
