// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// Serves HTTP/1.1 on a TCP port, for anybody who reaches it: who may ask is the handler's to say.
package final class NetworkHTTPServer: Sendable {
    /// Of a connection from the network the kernel tells no user.
    package static let nobody = PeerCredentials(processID: 0, userID: .max, groupID: .max)

    /// Smaller than on a socket of this host, and nobody is privileged.
    package static var limits: LocalHTTPServer.Limits {
        var limits = LocalHTTPServer.Limits()
        limits.bodyBytesMax = 0
        limits.headerBytesMax = 8 << 10
        limits.connectionsMax = 32
        limits.reservedForPrivileged = 0
        limits.perUserMax = 32
        limits.isPrivileged = { _ in false }
        limits.requestTimeout = .seconds(10)
        limits.writeTimeout = .seconds(10)
        return limits
    }

    /// The port that it listens on.
    package let port: Int
    private let listener: any Channel
    private let connections: ConnectionRegistry

    private init(listener: any Channel, connections: ConnectionRegistry) {
        self.listener = listener
        self.connections = connections
        port = listener.localAddress?.port ?? 0
    }

    /// Binds the port and serves from now on; port 0: any that is free.
    package static func bind(
        host: String, port: Int, limits: LocalHTTPServer.Limits = limits, handler: @escaping LocalHTTPServer.Handler
    ) async throws -> NetworkHTTPServer {
        let connections = ConnectionRegistry(limits: limits)
        let server = ConnectionServer(limits: limits, connections: connections, handler: handler)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(ChannelOptions.backlog, value: 64)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try server.accept(channel, nobody) }
            }
            .bind(host: host, port: port).get()
        return NetworkHTTPServer(listener: listener, connections: connections)
    }

    /// Stops accepting and closes every connection.
    package func close() async {
        listener.close(promise: nil)
        connections.closeAll()
        try? await listener.closeFuture.get()
    }
}
