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

        @Test func `a refused program's error has the verifier's line, and the log on demand`() throws {
            let object = try BPFObject(.test_refused)
            do throws(BPFError) {
                try object.load()
                Issue.record("the verifier accepted a read without a bounds check")
            } catch {
                #expect(error.errno == EACCES)
                #expect(error.description.hasPrefix("cannot load kernel object test_refused: permission denied: "))
                #expect(error.verifierComplaint?.contains("invalid access to packet") == true, "\(error.log)")
                #expect(error.log.contains("test_refused"))
            }
        }

        @Test func `a map is resized before the load`() throws {
            let object = try BPFObject(.test_filter)
            try object.resize(map: "blocked_map", entryCountMax: 4)
            try object.load()
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
