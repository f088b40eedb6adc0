// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import KernelPrograms
import Testing

extension DatapathTests {
    /// The program `read_jiffies`, by which user space learns the kernel's tick.
    @Suite struct ClockTests {
        @Test func `the tick moves on with time and never back`() throws {
            let object = try BPFObject(.clock)
            try object.load()
            let program = try object.program("read_jiffies")
            let packet = [UInt8](repeating: 0, count: 64)
            let first = try program.testRun(packet: packet).verdict
            var last = first
            let deadline = ContinuousClock.now + .seconds(2)
            while last == first, ContinuousClock.now < deadline { last = try program.testRun(packet: packet).verdict }
            let elapsed = last &- first
            #expect((1...2000).contains(elapsed))
        }
    }
}
