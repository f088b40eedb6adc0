// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The host's clocks, in nanoseconds.
package enum HostClock {
    /// Since boot without time asleep: what `bpf_ktime_get_ns` returns.
    package static func monotonicNanoseconds() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// Since boot including time asleep: what `bpf_ktime_get_boot_ns` returns.
    package static func bootNanoseconds() -> UInt64 { read(CLOCK_BOOTTIME) }

    /// Since 1970, UTC.
    ///
    /// Jumps when the clock is set.
    package static func wallNanoseconds() -> UInt64 { read(CLOCK_REALTIME) }

    /// CPU time of the calling thread: what waiting for others does not count in.
    package static func threadNanoseconds() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }

    /// Tells boots apart: state written under another id is from before a reboot.
    package static func bootID() throws(HostError) -> String { try boot.get() }

    /// No process sees another boot.
    private static let boot = Result { () throws(HostError) in
        String(try readTextFile("/proc/sys/kernel/random/boot_id").prefix { $0 != "\n" })
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
