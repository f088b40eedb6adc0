// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelPrograms
import Testing

extension KernelTests {
    @Suite struct MappedArrayTests {
        @Test func `a store is what the next packet sees`() throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            let program = try object.program("test_filter")
            let config = try MappedArray(object.mapDescriptor("config_map"), name: "config_map")
            #expect(config.byteCount == 32 && config.elementStride == 8)
            #expect(try program.testRun(packet: frame(1)).verdict == passed)
            config.storeReleasing(77, at: 4)
            #expect(try program.testRun(packet: frame(1)).context.mark == 77)
            config.write(TestConfig(dropEverything: 1, generation: 78), at: 0)
            let result = try program.testRun(packet: frame(1))
            #expect(result.verdict == dropped)
            #expect(result.context.mark == 78)
            #expect(config.loadAcquiring(at: 4) == 78)
        }

        @Test func `bytes are written, read and copied inside the array`() throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            let descriptor = try object.mapDescriptor("config_map")
            let config = try MappedArray(descriptor, name: "config_map")
            config.write([9, 9, 1, 2, 3, 4, 5, 9], range: 2..<7, base: 1)
            config.copy(3..<8, to: 20)
            #expect(config.bytes(in: 19..<26) == [0, 1, 2, 3, 4, 5, 0])
            let second = try MappedArray(descriptor, name: "config_map")
            #expect(second.value(at: 4, as: UInt32.self) == 0x0504_0302)
        }

        @Test func `a map that is not memory-mapped is refused`() throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            #expect(throws: BPFError.self) {
                _ = try MappedArray(object.mapDescriptor("blocked_map"), name: "blocked_map")
            }
        }
    }
}
