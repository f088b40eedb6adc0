// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOPosix
package import Synchronization

/// A server that speaks the Kubernetes API, for tests: objects of any kind in memory, versions, watches, and everything
/// that goes wrong with the real one.
///
/// Written after what a server of version 1.36 was seen to do. Plain HTTP/1.1 on a loopback address.
package final class KubernetesDouble: Sendable {
    /// A request that was answered.
    package struct Request: Sendable, Hashable {
        package var method: String
        package var target: String
        package var status: Int
    }

    let store = ObjectStore()
    package let faults = Mutex(Faults())
    private let log = Mutex<[Request]>([])
    /// Raised to end all watches in order, and to break all connections.
    let generation = Mutex((ended: 0, broken: 0))
    /// Collections that exist.
    package let kinds: Mutex<Set<String>>
    private let listener: Mutex<(any Channel)?>
    private let connections = Mutex<[ObjectIdentifier: any Channel]>([:])
    package let host: String
    package let port: Int

    package static let coreKinds: Set<String> = [
        "api/v1/pods", "api/v1/namespaces", "api/v1/nodes", "api/v1/services",
        "apis/discovery.k8s.io/v1/endpointslices",
        "apis/networking.k8s.io/v1/networkpolicies", "apis/coordination.k8s.io/v1/leases",
        "apis/events.k8s.io/v1/events",
    ]

    private init(_ listener: any Channel, host: String, port: Int, kinds: Set<String>) {
        (self.host, self.port) = (host, port)
        self.kinds = Mutex(kinds)
        self.listener = Mutex(listener)
    }

    /// Serves from now on; `port`: 0: any that is free.
    package static func start(
        host: String = "127.0.0.1", port: Int = 0, kinds: Set<String> = coreKinds
    ) async throws -> KubernetesDouble {
        let shared = Shared()
        let channel = try await bind(host, port, shared)
        let double = KubernetesDouble(channel, host: host, port: channel.localAddress?.port ?? port, kinds: kinds)
        shared.set(double)
        return double
    }

    /// Ends everything; the objects stay.
    package func stop() async {
        let channel = listener.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await channel?.close()
        breakConnections()
    }

    /// Serves again on the same port.
    package func restart() async throws {
        let shared = Shared()
        shared.set(self)
        let channel = try await Self.bind(host, port, shared)
        listener.withLock { $0 = channel }
    }

    package var url: String { "http://\(host):\(port)" }

    /// What was asked so far.
    package var requests: [Request] { log.withLock { $0 } }

    /// Ends all watches in order.
    package func endWatches() { generation.withLock { $0.ended += 1 } }

    /// Breaks all connections, without a word.
    package func breakConnections() {
        generation.withLock { $0.broken += 1 }
        for channel in connections.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    /// Forgets all versions up to now.
    package func compact() {
        store.read { content in
            content.compacted = content.version
            for key in content.events.keys { content.events[key] = [] }
        }
    }

    /// Is as on its first day: a store that was restored from an older copy.
    package func setBack() { store.read { $0 = ObjectStore.Content() } }

    // MARK: - Objects

    /// Creates or changes an object; `path`: `api/v1/namespaces/shop/pods/web`.
    package func set(_ path: String, _ object: JSON) {
        guard let place = Place(path), let name = place.name else { return }
        _ = store.read { $0.set(place.collection, place.namespace ?? "", name, object) }
    }

    package func remove(_ path: String) {
        guard let place = Place(path), let name = place.name else { return }
        _ = store.read { $0.remove(place.collection, place.namespace ?? "", name) }
    }

    package func object(_ path: String) -> JSON? {
        guard let place = Place(path), let name = place.name else { return nil }
        return store.read { $0.objects[place.collection]?["\(place.namespace ?? "")/\(name)"] }
    }

    // MARK: - Connections

    func note(_ request: Request) { log.withLock { $0.append(request) } }

    private func add(_ channel: any Channel) {
        connections.withLock { $0[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.connections.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
        }
    }

    /// Connections come in before the double is made whole.
    private final class Shared: Sendable {
        private let double = Mutex<KubernetesDouble?>(nil)

        func set(_ value: KubernetesDouble) { double.withLock { $0 = value } }

        var value: KubernetesDouble? { double.withLock { $0 } }
    }

    private static func bind(_ host: String, _ port: Int, _ shared: Shared) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    let connection = try NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>(
                        wrappingChannelSynchronously: channel)
                    Task {
                        guard let double = shared.value else {
                            try? await connection.executeThenClose { _, _ in }
                            return
                        }
                        double.add(channel)
                        try? await connection.executeThenClose { inbound, _ in
                            try await Exchange(double: double, channel: channel).run(inbound)
                        }
                    }
                }
            }
            .bind(host: host, port: port).get()
    }
}

/// What a path of the API means.
struct Place: Sendable {
    var collection: String
    var namespace: String?
    var name: String?
    var subresource: String?

    /// Nil: no path of objects.
    init?(_ path: String) {
        var parts = path.split(separator: "/").map(String.init)
        let root = parts.first == "api" ? 2 : parts.first == "apis" ? 3 : 0
        guard root > 0, parts.count > root else { return nil }
        let prefix = parts[..<root].joined(separator: "/")
        parts.removeFirst(root)
        if parts.count >= 3, parts[0] == "namespaces", parts[2] != "status", parts[2] != "finalize" {
            namespace = parts[1]
            parts.removeFirst(2)
        }
        collection = "\(prefix)/\(parts[0])"
        if parts.count > 1 { name = parts[1] }
        if parts.count > 2 { subresource = parts[2] }
    }
}
