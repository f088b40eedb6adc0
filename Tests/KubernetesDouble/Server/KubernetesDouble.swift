// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Synchronization

/// A stand-in for a Kubernetes API server: the protocol as the real one speaks it, an in-memory store that tests change
/// directly, and every way of failing that a client must survive.
///
///     let server = try await KubernetesDouble.start()
///     try server.store.apply(json: #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"}}"#)
///     server.faults.set(.failure(429, reason: "TooManyRequests", retryAfter: 3), on: "pods", times: 1)
///     … \(server.url)/api/v1/pods …
///     await server.stop()
///
/// Simplified where the real one would need more than a server: deleting a namespace takes its content with it at once,
/// schemas are not checked, versions of a custom resource differ in their `apiVersion` alone.
package final class KubernetesDouble: Sendable {
    let context: ServerContext
    private let listener: Mutex<(any Channel)?>

    /// A large cluster of made-up objects, and its changes.
    package let load: ClusterLoad

    /// The port it listens on, also while it is stopped.
    package let port: Int

    private init(context: ServerContext, listener: any Channel) {
        self.context = context
        self.listener = Mutex(listener)
        port = listener.localAddress?.port ?? 0
        load = ClusterLoad(store: context.store)
        if context.options.hasControl {
            context.control.withLock { control in
                control = { [weak self] request in
                    self.map { ControlEndpoint(double: $0).answer(to: request) } ?? Answer(APIError.noSuchPath)
                }
            }
        }
    }

    /// Starts a server with an empty store but for the namespaces `default` and `kube-system`.
    package static func start(_ options: DoubleOptions = DoubleOptions()) async throws -> KubernetesDouble {
        let context = try ServerContext(options: options)
        return KubernetesDouble(context: context, listener: try await bind(context, port: options.port))
    }

    private static func bind(_ context: ServerContext, port: Int) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in ConnectionSetup(server: context).configure(channel) }
            .bind(host: context.options.address, port: port).get()
    }

    /// The objects it serves.
    package var store: DoubleStore { context.store }

    /// What goes wrong.
    package var faults: FaultPlan { context.faults }

    /// Who may speak to it.
    package var access: Access { context.access }

    /// What it was asked.
    package var counters: Counters { context.counters }

    /// Where it is to be reached.
    package var url: String { "\(context.tls == nil ? "http" : "https")://\(context.options.address):\(port)" }

    /// The authority of its certificate; nil without TLS.
    package var authority: Authority? { context.tls?.authority }

    // MARK: - Watches

    /// Ends all watches of a resource, or all, as at their timeout.
    package func endWatches(of resource: ResourceName? = nil) {
        for stream in context.watches(of: resource) { stream.finish() }
    }

    /// Ends watches with an ERROR event.
    package func endWatches(of resource: ResourceName? = nil, with error: APIError) {
        for stream in context.watches(of: resource) { stream.finish(with: Renderer.error(error.status)) }
    }

    /// Writes a line into the running watches, whatever it says; the line end is added.
    package func inject(line: [UInt8], intoWatchesOf resource: ResourceName? = nil) {
        for stream in context.watches(of: resource) { stream.inject(line + [0x0A]) }
    }

    // MARK: - Connections

    /// Closes all connections without a farewell: with FIN, or with RST.
    package func breakConnections(reset: Bool = false) {
        for connection in context.connections { connection.cut(reset: reset) }
    }

    /// Lets nothing through on the connections that there are, neither way, and keeps them open.
    package func freezeConnections() { for connection in context.connections { connection.freeze() } }

    /// Tells the clients that speak HTTP/2 to go elsewhere with their next requests.
    package func goAway() { for connection in context.connections { connection.goAway() } }

    /// Stops listening and cuts every connection; the objects stay.
    package func stop() async {
        let channel = listener.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await channel?.close()
        breakConnections()
    }

    /// Serves again on the same port what was there when it stopped, and what came since.
    package func restart() async throws {
        let channel = try await Self.bind(context, port: port)
        listener.withLock { $0 = channel }
    }

    // MARK: - Certificates

    /// Shows new connections another certificate.
    ///
    /// - Parameters:
    ///   - seconds: how long it is good from now; negative for one that has expired.
    ///   - authority: the one that issues it from now on; nil for the same as before.
    package func rotateCertificate(seconds: Double = 86400, authority: Authority? = nil) throws {
        let hosts = context.options.hosts + [context.options.address]
        try context.tls?.rotate(hosts: hosts, seconds: seconds, authority: authority)
    }
}
