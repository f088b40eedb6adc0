// SPDX-License-Identifier: Apache-2.0
import CLinuxShim
import Glibc

/// The kernel programs of this machine, as far as one may wait for them.
package enum RunningPrograms {
    /// Returns when no program that began before the call still runs.
    package static func wait() {
        guard bulkhead_membarrier_global() != 0 else { return }
        // Kernels with full-dynticks CPUs refuse it. A program runs with preemption off and bounded to well under a
        // millisecond, so a fixed wait of many times that is safe too.
        var wait = timespec(tv_sec: 0, tv_nsec: 200_000_000)
        unsafe nanosleep(&wait, nil)
    }
}
