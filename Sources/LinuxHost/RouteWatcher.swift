// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// Tells when the host's routes change.
package enum RouteWatcher {
    /// Subscribes; changes that come while the consumer is busy count as one.
    package static func changes() throws(HostError) -> AsyncStream<Void> {
        let signal = try WakeSignal()
        let watch = Watch(
            socket: try NetlinkSocket(groups: UInt32(RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)), signal: signal)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        continuation.onTermination = { _ in signal.raise() }
        try DedicatedThread.start(name: "bulkhead-routes") {
            defer { continuation.finish() }
            while watch.wait() { continuation.yield() }
        }
        return stream
    }

    /// Carries the socket to the thread, which alone uses it.
    private final class Watch: @unchecked Sendable {
        private let socket: NetlinkSocket
        private let signal: WakeSignal

        init(socket: NetlinkSocket, signal: WakeSignal) {
            self.socket = socket
            self.signal = signal
        }

        /// Sleeps until a route changes; false if stopped.
        func wait() -> Bool {
            guard (try? waitForInput(socket.descriptor.rawValue, or: signal, milliseconds: -1)) == .readable else {
                return false
            }
            // What changed is read from the tables: lost notifications lose nothing.
            socket.drain()
            return true
        }
    }
}
