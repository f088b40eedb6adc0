// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// The clock of alerts and responses: nanoseconds since 1970 that neither jump nor run backwards.
///
/// It is the monotonic clock and an offset; when the wall clock is set, what was noted moves along with the offset.
struct AlertClock: Sendable {
    /// CLOCK_MONOTONIC, by which findings have their times, and CLOCK_REALTIME, in nanoseconds.
    let monotonic: @Sendable () -> UInt64
    let wall: @Sendable () -> UInt64
    private var offset: Int64

    /// Less than this is slewing, of which nothing depends.
    private static let stepMin: Int64 = 2_000_000_000

    init(
        monotonic: @escaping @Sendable () -> UInt64 = { HostClock.monotonicNanoseconds() },
        wall: @escaping @Sendable () -> UInt64 = { Timestamp.nanosecondsNow() }
    ) {
        self.monotonic = monotonic
        self.wall = wall
        offset = Int64(clamping: wall()) - Int64(clamping: monotonic())
    }

    var now: UInt64 { time(monotonic()) }

    /// A moment of the monotonic clock.
    ///
    /// What others report may be any number: beyond the end it is the end.
    func time(_ moment: UInt64) -> UInt64 {
        let (time, overflow) = Int64(clamping: moment).addingReportingOverflow(offset)
        return overflow ? UInt64(Int64.max) : UInt64(max(0, time))
    }

    /// By how much the wall clock was set since the last call; nil: it was not.
    mutating func takeStep() -> Int64? {
        let current = Int64(clamping: wall()) - Int64(clamping: monotonic())
        let step = current - offset
        guard step.magnitude >= AlertClock.stepMin.magnitude else { return nil }
        offset = current
        return step
    }
}
