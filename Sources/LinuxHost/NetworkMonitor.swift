// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// Follows the links and addresses of a namespace.
package enum NetworkMonitor {
    /// Room for about 4,000 notifications while the reader is busy; beyond it the kernel says ENOBUFS.
    private static let receiveBufferBytes: Int32 = 8 << 20
    /// Updates that wait for a slow consumer; beyond it they are dropped and a new snapshot follows.
    static let updatesWaitingMax = 256

    /// Subscribes.
    ///
    /// The first update is a snapshot, taken after the subscription so that nothing falls between; the
    /// stream ends when its consumer stops or the socket fails.
    /// - Parameter namespace: the process's own if nil.
    package static func updates(in namespace: NetworkNamespace? = nil) throws(HostError) -> AsyncStream<NetworkUpdate> {
        let target = try (namespace ?? .own).open()
        let name = (namespace ?? .own).path
        let signal = try WakeSignal()
        let place = Place(descriptor: target, name: name, home: try NetworkNamespace.own.open())
        let (stream, continuation) = AsyncStream.makeStream(
            of: NetworkUpdate.self, bufferingPolicy: .bufferingOldest(updatesWaitingMax))
        continuation.onTermination = { _ in signal.raise() }
        try DedicatedThread.start(name: "bulkhead-links") {
            defer { continuation.finish() }
            guard let source = try? place.sockets(signal) else { return }
            NetworkMonitorLoop(source: source).run { update in
                if case .dropped = continuation.yield(update) { false } else { true }
            }
        }
        return stream
    }

    /// Carries the opened namespace to the thread.
    private final class Place: Sendable {
        let descriptor: OwnedDescriptor
        let name: String
        let home: OwnedDescriptor

        init(descriptor: consuming OwnedDescriptor, name: String, home: consuming OwnedDescriptor) {
            self.descriptor = descriptor
            self.name = name
            self.home = home
        }

        /// Sockets belong to the namespace they are opened in; the thread is at home again afterwards.
        func sockets(_ signal: WakeSignal) throws(HostError) -> SocketSource {
            try enterNamespace(descriptor, name: name)
            defer { leaveNamespace(for: home) }
            return try SocketSource(signal)
        }
    }

    private final class SocketSource: NetworkChangeSource {
        private let notifications: NetlinkSocket
        private let requests: RouteSession
        private let signal: WakeSignal

        init(_ signal: WakeSignal) throws(HostError) {
            let groups = UInt32(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
            notifications = try NetlinkSocket(groups: groups, receiveBufferBytes: receiveBufferBytes)
            requests = try RouteSession()
            self.signal = signal
        }

        func wait(milliseconds: Int32) throws(HostError) -> InputWait {
            try waitForInput(notifications.descriptor.rawValue, or: signal, milliseconds: milliseconds)
        }

        func receive() throws(HostError) -> [UInt8] { try notifications.receive() }

        func drain() { notifications.drain() }

        func snapshot() throws(HostError) -> NetworkSnapshot { try requests.snapshot() }
    }
}

/// Where the monitor's loop gets notifications and, after a loss, the whole state.
protocol NetworkChangeSource {
    func wait(milliseconds: Int32) throws(HostError) -> InputWait
    func receive() throws(HostError) -> [UInt8]
    /// Throws away what waits.
    func drain()
    func snapshot() throws(HostError) -> NetworkSnapshot
}

/// Turns notifications into batches, and losses into snapshots.
struct NetworkMonitorLoop<Source: NetworkChangeSource> {
    /// One `ip link add` makes several notifications; they come within this time and go out as one batch.
    static var settleMilliseconds: Int32 { 2 }
    /// How soon a snapshot is tried again when the consumer had no room or the kernel refused.
    static var retryMilliseconds: Int32 { 50 }
    static var changesInBatchMax: Int { 1024 }

    let source: Source

    /// Runs until the source is stopped or fails for good.
    /// - Parameter deliver: false if the consumer had no room for the update.
    func run(_ deliver: (NetworkUpdate) -> Bool) {
        var needsSnapshot = true
        while true {
            if needsSnapshot, let snapshot = try? source.snapshot() {
                needsSnapshot = !deliver(.snapshot(snapshot))
            }
            switch try? source.wait(milliseconds: needsSnapshot ? Self.retryMilliseconds : -1) {
            case .readable: break
            case .timedOut: continue
            case .signalled, nil: return
            }
            do {
                let changes = try collect()
                if !needsSnapshot && !changes.isEmpty { needsSnapshot = !deliver(.changes(changes)) }
            } catch  where error.code == ENOBUFS || error.code == EBADMSG || error.code == EMSGSIZE {
                // What waits is older than what was lost: after the snapshot it would bring back what is gone. And the
                // kernel loses more in silence until all is read.
                source.drain()
                needsSnapshot = true
            } catch {
                return
            }
        }
    }

    private func collect() throws(HostError) -> [NetworkChange] {
        var changes: [NetworkChange] = []
        repeat {
            changes += try NetworkChange.decode(source.receive())
            guard changes.count < Self.changesInBatchMax else { break }
        } while try source.wait(milliseconds: Self.settleMilliseconds) == .readable
        return changes
    }
}
