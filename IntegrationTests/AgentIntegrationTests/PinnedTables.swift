// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import TestBed
import Testing

/// The policy as the kernel reads it: the pinned tables' active bank, without what differs from run to run (places in
/// memory, epochs).
struct PinnedTables: Equatable {
    /// Key and both verdicts of each entry that a bucket leads to, as words.
    var entries: Set<[UInt32]> = []
    /// Slot and everything but the epoch of each subject in use.
    var subjects: Set<[UInt32]> = []

    init(pinDirectory: String) throws {
        let maps = "\(pinDirectory)/v\(BULKHEAD_ABI_VERSION)/maps"
        let config = try PinnedTables.open("\(maps)/config_map")
        let bank = Int(config.loadAcquiring(at: 0))
        let mask = try #require(MemoryLayout<datapath_config>.offset(of: \.policy_bucket_mask))
        let buckets = Int(config.loadAcquiring(at: mask + 4 * bank)) + 1
        try readEntries(maps, bank, buckets)
        try readSubjects(maps, bank)
    }

    private mutating func readEntries(_ maps: String, _ bank: Int, _ buckets: Int) throws {
        let heads = try PinnedTables.open("\(maps)/policy_heads_map")
        let table = try PinnedTables.open("\(maps)/policy_entries_map")
        let place = { (index: Int, size: Int, stride: Int) in
            let perChunk = Int(POLICY_CHUNK_BYTES) / size
            return (index / perChunk * Int(BANK_COUNT) + bank) * stride + index % perChunk * size
        }
        let size = MemoryLayout<policy_entry>.size
        for bucket in 0..<buckets {
            var link = heads.loadAcquiring(at: place(bucket, 4, heads.elementStride))
            while link != 0 {
                let start = place(Int(link - 1), size, table.elementStride)
                var words = stride(from: start, to: start + size, by: 4).map { table.loadAcquiring(at: $0) }
                // The fourth word leads to the next entry.
                link = words.remove(at: 3)
                guard entries.insert(words).inserted else { throw TestBedError("a ring in bucket \(bucket)") }
            }
        }
    }

    private mutating func readSubjects(_ maps: String, _ bank: Int) throws {
        let table = try PinnedTables.open("\(maps)/subject_map")
        let size = MemoryLayout<subject_entry>.size
        let slots = Int(SUBJECT_COUNT_MAX) * Int(SUBJECT_TIER_COUNT)
        for slot in 0..<slots {
            let start = (bank * slots + slot) * table.elementStride
            let words = stride(from: start + 4, to: start + size, by: 4).map { table.loadAcquiring(at: $0) }
            if words.contains(where: { $0 != 0 }) { subjects.insert([UInt32(slot)] + words) }
        }
    }

    private static func open(_ path: String) throws -> MappedArray {
        guard let pinned = try FileDescriptor.pinned(at: path) else { throw TestBedError("no pin \(path)") }
        return try MappedArray(pinned, name: path)
    }
}
