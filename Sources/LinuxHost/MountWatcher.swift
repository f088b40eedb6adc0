// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// Tells when something is mounted or unmounted in this process's mount namespace.
///
/// A named network namespace is a bind mount on a file: inotify sees the file come and go, but not what is mounted on it.
package enum MountWatcher {
    /// Subscribes; changes that come while the consumer is busy count as one.
    package static func changes() throws(HostError) -> AsyncStream<Void> {
        let table = try OwnedDescriptor(opening: "/proc/self/mountinfo", purpose: "mount table")
        let signal = try WakeSignal()
        let watch = Watch(table: table, signal: signal)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        continuation.onTermination = { _ in signal.raise() }
        try DedicatedThread.start(name: "bulkhead-mounts") {
            defer { continuation.finish() }
            while watch.wait() { continuation.yield() }
        }
        return stream
    }

    private final class Watch: Sendable {
        let table: OwnedDescriptor
        let signal: WakeSignal

        init(table: consuming OwnedDescriptor, signal: WakeSignal) {
            self.table = table
            self.signal = signal
        }

        /// Sleeps until the table changes; false if stopped.
        func wait() -> Bool {
            // The file can always be read: only the urgent bit tells of a change, once for each (proc_pid_mounts(5)).
            var polled = [
                pollfd(fd: table.rawValue, events: Int16(POLLPRI), revents: 0),
                pollfd(fd: signal.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            ]
            while unsafe poll(&polled, 2, -1) < 0 {
                guard errno == EINTR else { return false }
            }
            return polled[1].revents == 0
        }
    }
}
