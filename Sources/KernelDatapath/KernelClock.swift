// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelPrograms

/// The kernel's tick, in which conntrack entries count time.
struct KernelClock: ~Copyable {
    private let program: BPFProgram
    /// The kernel's HZ.
    let ticksPerSecond: UInt32

    init() throws(BPFError) {
        let object = try BPFObject(.clock)
        try object.load()
        program = try object.program("read_jiffies")
        ticksPerSecond = KernelClock.measureTicksPerSecond()
    }

    /// The low 32 bits of jiffies, now.
    func now() throws(BPFError) -> UInt32 {
        try program.testRun(packet: [UInt8](repeating: 0, count: 64)).verdict
    }

    /// A time in ticks, at least one for anything above zero, at most what a signed difference can hold.
    func ticks(_ duration: Duration) -> UInt32 {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, seconds < Int64(Int32.max) / Int64(ticksPerSecond) else {
            return seconds < 0 ? 0 : UInt32(Int32.max)
        }
        let attosecondsPerTick = 1_000_000_000_000_000_000 / Int64(ticksPerSecond)
        let part = (attoseconds + attosecondsPerTick - 1) / attosecondsPerTick
        return UInt32(seconds * Int64(ticksPerSecond) + part)
    }

    /// The coarse clock advances once a tick, so its resolution is the length of one.
    private static func measureTicksPerSecond() -> UInt32 {
        var resolution = timespec()
        guard unsafe clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) == 0, resolution.tv_nsec > 0 else { return 250 }
        return UInt32((1_000_000_000 + resolution.tv_nsec / 2) / resolution.tv_nsec)
    }
}

/// CLOCK_MONOTONIC as the kernel has it, by which the shield's blocks end.
///
/// Not this process's, which a time namespace moves.
struct KernelMonotonicClock: ~Copyable {
    private let program: BPFProgram
    private let memory: MappedArray

    init() throws(BPFError) {
        let object = try BPFObject(.clock)
        try object.load()
        let memory = try MappedArray(object.mapDescriptor("clock_map"), name: "clock_map")
        program = try object.program("read_monotonic")
        self.memory = memory
    }

    /// Nanoseconds.
    func now() throws(BPFError) -> UInt64 {
        _ = try program.testRun(packet: [UInt8](repeating: 0, count: 64))
        return memory.loadAcquiringDoubleWord(at: 0)
    }
}
