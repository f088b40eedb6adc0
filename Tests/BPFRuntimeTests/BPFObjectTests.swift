// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelPrograms
import Testing

extension KernelTests {
    @Suite struct BPFObjectTests {
        @Test func `an object names its maps and programs`() throws {
            let object = try BPFObject(.test_filter)
            #expect(object.mapNames.sorted() == ["blocked_map", "config_map", "counters_map", "events_ringbuf"])
            #expect(object.programNames == ["test_filter", "test_pass"])
        }

        @Test(arguments: [1, 2])
        func `a refused program's error has the verifier's line, and the log on demand`(processors: Int) throws {
            let object = try BPFObject(.test_refused)
            do throws(BPFError) {
                try object.load(processors: processors)
                Issue.record("the verifier accepted a read without a bounds check")
            } catch {
                #expect(error.errno == EACCES)
                #expect(error.description.hasPrefix("cannot load kernel object test_refused: permission denied: "))
                #expect(error.verifierComplaint?.contains("invalid access to packet") == true, "\(error.log)")
                #expect(error.log.contains("test_refused"))
            }
        }

        @Test func `programs that are loaded on several processors are there, over the same maps`() throws {
            let object = try BPFObject(.test_filter)
            try object.load(processors: 8)
            let ids = try object.programNames.map { try object.program($0).info().id }
            #expect(Set(ids).count == 2)
            try object.map("blocked_map", UInt32.self, UInt64.self).update(7, to: 1)
            let verdicts = try [6, 7].map { byte in
                try object.program("test_filter").testRun(packet: [byte] + [UInt8](repeating: 0, count: 59)).verdict
            }
            #expect(verdicts == [0, 2])
            let counters = try object.map("counters_map", UInt32.self, UInt64.self)
            #expect(try counters.valuesPerCPU(for: 1)?.reduce(0, +) == 1)
        }

        @Test func `a program that is left out is not loaded`() throws {
            let object = try BPFObject(.test_filter)
            try object.keep(programs: ["test_pass"])
            try object.load()
            #expect(try object.program("test_pass").info().id > 0)
            #expect(throws: BPFError.self) { _ = try object.program("test_filter") }
        }

        @Test(arguments: [1, 2]) func `a map is resized before the load`(processors: Int) throws {
            let object = try BPFObject(.test_filter)
            try object.resize(map: "blocked_map", entryCountMax: 4)
            try object.load(processors: processors)
            let map = try object.map("blocked_map", UInt32.self, UInt64.self)
            #expect(map.definition.entryCountMax == 4)
            for key in 0..<4 as Range<UInt32> { try map.update(key, to: 1) }
            #expect(throws: BPFError.self) { try map.update(4, to: 1) }
        }

        @Test func `a map of another size is refused when it is opened`() throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            do throws(BPFError) {
                _ = try object.map("blocked_map", UInt32.self, UInt32.self)
                Issue.record("opened with four-byte values")
            } catch {
                #expect(error.errno == EINVAL)
                #expect(error.description.contains("the kernel's are 4 and 8"), "\(error)")
            }
        }

        @Test func `two objects share a map`() throws {
            let first = try BPFObject(.test_filter)
            try first.load()
            let second = try BPFObject(.test_filter)
            try second.reuse(first.mapDescriptor("blocked_map"), asMap: "blocked_map")
            try second.load()
            try first.map("blocked_map", UInt32.self, UInt64.self).update(7, to: 70)
            #expect(try second.map("blocked_map", UInt32.self, UInt64.self).value(for: 7) == 70)
        }

        @Test func `a program tells what the verifier walked`() throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            let info = try object.program("test_filter").info()
            #expect(info.id > 0)
            #expect((20...500).contains(info.verifiedInstructionCount))
            #expect((20...500).contains(info.instructionCount))
        }
    }
}
