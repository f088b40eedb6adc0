// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import KernelPrograms
import NetworkModel
import Testing

extension DatapathTests {
    /// The programs `read_jiffies` and `read_monotonic`, by which user space learns the kernel's clocks.
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

        @Test func `read_monotonic writes the clock by which blocks end`() throws {
            let object = try BPFObject(.clock)
            try object.load()
            let program = try object.program("read_monotonic")
            let memory = try MappedArray(object.mapDescriptor("clock_map"), name: "clock_map")
            let packet = [UInt8](repeating: 0, count: 64)
            func own() -> UInt64 {
                var time = timespec()
                unsafe clock_gettime(CLOCK_MONOTONIC, &time)
                return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
            }
            let before = own()
            _ = try program.testRun(packet: packet)
            let read = memory.loadAcquiringDoubleWord(at: 0)
            #expect(before <= read && read <= own())
        }

        @Test(arguments: Family.allCases) func `the clock read from outside is the one that stamps flows`(
            family: Family
        ) throws {
            let object = try BPFObject(.clock)
            try object.load()
            let clock = try object.program("read_jiffies")
            let frame = [UInt8](repeating: 0, count: 64)
            let fixture = try Fixture.fresh()
            let before = try clock.testRun(packet: frame).verdict
            try fixture.udp(.client(family), .egress)
            let after = try clock.testRun(packet: frame).verdict
            let flow = try #require(try fixture.onlyFlow())
            #expect(flow.entry.last_seen &- before <= after &- before, "stamped between the two readings")
            #expect(flow.entry.created == flow.entry.last_seen && flow.entry.last_report == flow.entry.created)
        }
    }
}
