// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
import Synchronization

/// Tells when links or addresses change in any of many network namespaces, with one thread and one socket for each.
package final class NamespaceWatcher: Sendable {
    /// Changes come in groups (an address is tentative, then valid): reported together after this time.
    private static let settleMilliseconds: Int32 = 5

    private final class Shared: Sendable {
        struct State {
            var wanted: [UInt64: [NetworkNamespace]] = [:]
            /// Wanted, but could not be subscribed to.
            var unwatched: Set<UInt64> = []
            var isStopped = false
            var consumer: AsyncStream<UInt64>.Continuation?
        }
        let state = Mutex(State())
        let wake: WakeSignal

        init() throws(HostError) { wake = try WakeSignal() }
    }

    private let shared: Shared

    /// Starts the thread.
    package init() throws(HostError) {
        let shared = try Shared()
        self.shared = shared
        try DedicatedThread.start(name: "bulkhead-nswatch") { Self.run(shared) }
    }

    deinit {
        shared.state.withLock { $0.isStopped = true }
        shared.wake.raise()
    }

    /// Watches exactly these namespaces from now on.
    ///
    /// A watched namespace lives on, and keeps its inode, until it is watched no more.
    /// - Parameter namespaces: by inode, with the ways to reach each; one that cannot be reached is `unwatched` and tried
    ///   again at the next call.
    package func watch(_ namespaces: [UInt64: [NetworkNamespace]]) {
        let isChange = shared.state.withLock { state in
            defer { state.wanted = namespaces }
            return state.wanted.keys != namespaces.keys || !state.unwatched.isEmpty
        }
        if isChange { shared.wake.raise() }
    }

    /// Namespaces that could not be subscribed to, for want of descriptors say: look into them yourself.
    package var unwatched: Set<UInt64> { shared.state.withLock { $0.unwatched } }

    /// The inodes of namespaces in which something changed; a namespace newly watched is reported once.
    ///
    /// For one consumer at a time; a new one takes over.
    package func changes() -> AsyncStream<UInt64> {
        let (stream, continuation) = AsyncStream.makeStream(of: UInt64.self, bufferingPolicy: .bufferingOldest(65_536))
        shared.state.withLock { $0.consumer = continuation }
        return stream
    }

    private static func run(_ shared: Shared) {
        var sockets: [UInt64: NetlinkSocket] = [:]
        while true {
            shared.wake.clear()
            let (wanted, isStopped) = shared.state.withLock { ($0.wanted, $0.isStopped) }
            guard !isStopped else { return }
            let added = update(&sockets, wanted)
            let unwatched = Set(wanted.keys).subtracting(sockets.keys)
            shared.state.withLock { $0.unwatched = unwatched }
            // Between the reading of a namespace and the subscription something may have changed.
            report(added, shared)
            report(waitForChanges(sockets, shared.wake), shared)
        }
    }

    private static func report(_ inodes: [UInt64], _ shared: Shared) {
        let consumer = shared.state.withLock { $0.consumer }
        for inode in inodes { consumer?.yield(inode) }
    }

    /// Opens and closes sockets until they match; returns the namespaces that are new.
    private static func update(
        _ sockets: inout [UInt64: NetlinkSocket], _ wanted: [UInt64: [NetworkNamespace]]
    ) -> [UInt64] {
        for inode in sockets.keys where wanted[inode] == nil { sockets[inode] = nil }
        let missing = wanted.filter { sockets[$0.key] == nil }
        for (inode, ways) in missing {
            guard let way = ways.first(where: { (try? $0.inode()) == inode }) else { continue }
            // A socket belongs to the namespace it was opened in, wherever the thread goes then.
            sockets[inode] = try? open(way)
        }
        if !missing.isEmpty { try? NetworkNamespace.own.enter() }
        return missing.keys.filter { sockets[$0] != nil }
    }

    private static func open(_ namespace: NetworkNamespace) throws(HostError) -> NetlinkSocket {
        try namespace.enter()
        return try NetlinkSocket(groups: UInt32(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
    }

    /// Sleeps until something changes or `wake` is raised; returns the namespaces concerned.
    private static func waitForChanges(_ sockets: [UInt64: NetlinkSocket], _ wake: WakeSignal) -> [UInt64] {
        let inodes = Array(sockets.keys)
        let descriptors = inodes.compactMap { sockets[$0]?.descriptor.rawValue } + [wake.descriptor.rawValue]
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard unsafe poll(&polled, nfds_t(polled.count), -1) > 0 else { return [] }
        _ = poll(nil, 0, settleMilliseconds)
        let ready = zip(inodes, polled).filter { $0.1.revents != 0 }.map(\.0)
        for inode in ready { sockets[inode]?.drain() }
        return ready
    }
}
