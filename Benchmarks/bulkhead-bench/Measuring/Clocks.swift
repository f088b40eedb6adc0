// SPDX-License-Identifier: Apache-2.0

import CBenchSupport
import FoundationEssentials
import Glibc

/// The clocks that measurements read; all in nanoseconds.
enum Clocks {
    static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    static var wall: UInt64 { nanoseconds(CLOCK_MONOTONIC) }
    static var thread: UInt64 { nanoseconds(CLOCK_THREAD_CPUTIME_ID) }
    static var process: UInt64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }

    static func sleep(nanoseconds: UInt64) {
        var rest = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        while unsafe clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, nil) == EINTR {}
    }
}

/// CPU time of the whole path of packets that this thread makes.
///
/// Receive softirq, forwarding and sink run on the generating thread; what it cannot do itself falls to ksoftirqd of
/// the same CPU. Neighbours on the machine take turns with both but do not run on their clocks. It relies on
/// IRQ_TIME_ACCOUNTING being off, else softirq time is not charged to the thread.
struct PacketClock {
    private let schedulerStatistics: String

    /// Finds ksoftirqd of the CPU the calling thread is pinned to.
    init(cpu: Int) throws {
        let wanted = "ksoftirqd/\(cpu)"
        for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc") where Int(entry) != nil {
            guard let name = try? String(contentsOfFile: "/proc/\(entry)/comm", encoding: .utf8) else { continue }
            if name == wanted + "\n" {
                schedulerStatistics = "/proc/\(entry)/schedstat"
                return
            }
        }
        throw BenchError("cannot find the kernel thread \(wanted) in /proc: run outside a pid namespace")
    }

    var nanoseconds: UInt64 {
        get throws {
            let text = try String(contentsOfFile: schedulerStatistics, encoding: .utf8)
            guard let field = text.split(separator: " ").first, let softirq = UInt64(field) else {
                throw BenchError("cannot read \(schedulerStatistics): found '\(text)'; the kernel needs SCHED_INFO")
            }
            return Clocks.thread + softirq
        }
    }
}
