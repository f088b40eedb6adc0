// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import KernelPrograms
import Sensing
import Testing

@testable import KernelDatapath

/// Reading the sensors' records out of the kernel's maps.
@Suite struct SensorRecordTests {
    /// Everything in the sets given is taken, and every byte of them is 1.
    private func fill(_ object: borrowing BPFObject, _ map: String, _ sets: [Int], stride: Int) throws {
        let memory = try MappedArray(object.mapDescriptor(map), name: map)
        #expect(memory.elementStride == stride, "\(map)")
        for set in sets {
            for word in 0..<stride / 8 {
                memory.write(UInt64(0x0101_0101_0101_0101), at: set * stride + 8 * word)
            }
        }
    }

    private func isWhole<Record: BitwiseCopyable>(_ record: Record?) -> Bool {
        guard let record else { return false }
        return unsafe withUnsafeBytes(of: record) { unsafe $0.allSatisfy { $0 == 1 } }
    }

    /// Those at the ends of pages among them, and of the table; neighbours are taken too.
    @Test func `every record is read whole, wherever it lies`() throws {
        let object = try BPFObject(.prefilter)
        try object.keep(programs: [])
        try object.load()
        let records = try KernelRecords(object)
        func check(_ map: String, _ count: Int32, _ stride: Int, _ isRead: (Int) -> Bool) throws {
            let sets = Array(0..<64) + [Int(count) - 1]
            try fill(object, map, sets, stride: stride)
            for set in sets {
                for way in 0..<Int(SENSE_WAYS) { #expect(isRead(set * Int(SENSE_WAYS) + way), "\(map) \(set) \(way)") }
            }
            #expect(!isRead(64 * Int(SENSE_WAYS)), "nobody's")
        }
        try check("sense_sources_map", SENSE_SOURCE_SETS, MemoryLayout<sense_source_set>.stride) {
            isWhole(records.source($0))
        }
        try check("sense_pairs_map", SENSE_PAIR_SETS, MemoryLayout<sense_pair_set>.stride) { isWhole(records.pair($0)) }
        try check("sense_zones_map", SENSE_ZONE_SETS, MemoryLayout<sense_zone_set>.stride) { isWhole(records.zone($0)) }
        try check("sense_targets_map", SENSE_TARGET_SETS, MemoryLayout<sense_target_set>.stride) {
            isWhole(records.target($0)) && records.targetTimes($0)?.before == 0x0101_0101_0101_0101
        }
    }
}
