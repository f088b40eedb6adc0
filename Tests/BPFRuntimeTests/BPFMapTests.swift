// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelPrograms
import Testing

extension KernelTests {
    @Suite struct BPFMapTests {
        @Test func `an entry is written, read, replaced and removed`() throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            let map = try object.map("blocked_map", UInt32.self, UInt64.self)
            #expect(try map.value(for: 5) == nil)
            try map.update(5, to: 50, mode: .onlyNew)
            #expect(throws: BPFError.self) { try map.update(5, to: 51, mode: .onlyNew) }
            try map.update(5, to: 52, mode: .onlyExisting)
            #expect(try map.value(for: 5) == 52)
            #expect(try map.remove(5))
            #expect(try !map.remove(5))
        }

        @Test func `batches write, visit and remove every entry`() throws {
            let object = try BPFObject(.test_filter)
            try object.resize(map: "blocked_map", entryCountMax: 50_000)
            try object.load()
            let map = try object.map("blocked_map", UInt32.self, UInt64.self)
            let keys = Array(0..<30_000 as Range<UInt32>)
            try map.update(keys.map { ($0, UInt64($0) * 3) })
            var seen: [UInt32: UInt64] = [:]
            try map.forEach(chunkEntryCount: 7) { seen[$0] = $1 }
            #expect(seen.count == keys.count)
            #expect(seen.allSatisfy { $1 == UInt64($0) * 3 })
            // Keys that are not there, first, in the middle and last, do not end the batch.
            #expect(try map.remove([90_000] + keys[..<10_000] + [90_001] + keys[10_000...] + [90_002]) == keys.count)
            try map.forEach { key, _ in Issue.record("\(key) is still there") }
        }

        @Test func `a per-CPU value is read from every CPU`() throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            let program = try object.program("test_filter")
            for _ in 0..<5 { _ = try program.testRun(packet: frame(1)) }
            let counters = try object.map("counters_map", UInt32.self, UInt64.self)
            let values = try #require(try counters.valuesPerCPU(for: 0))
            #expect(values.count >= Int(sysconf(Int32(_SC_NPROCESSORS_CONF))))
            #expect(values.reduce(0, +) == 5)
            #expect(try counters.valuesPerCPU(for: 2) == nil)
        }
    }
}
