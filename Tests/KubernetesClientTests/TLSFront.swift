// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Speaks TLS to clients and hands on what they say to a server that does not.
final class TLSFront: Sendable {
    private let listener: any Channel
    private let counter = Counter()

    var port: Int { listener.localAddress?.port ?? 0 }

    /// - Parameter clients: the authority of clients' certificates; nil: none is asked for.
    init(to server: Int, certificate: String, key: String, clients: String? = nil) async throws {
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        if let clients {
            tls.trustRoots = .file(clients)
            tls.certificateVerification = .noHostnameVerification
        }
        let context = try NIOSSLContext(configuration: tls)
        let counter = counter
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                counter.add()
                return TLSFront.connect(client, context, server)
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private final class Counter: Sendable {
        private let count = Mutex(0)

        func add() { count.withLock { $0 += 1 } }

        var value: Int { count.withLock { $0 } }
    }

    /// How many connections came in.
    var connections: Int { counter.value }

    func stop() async { try? await listener.close() }

    private static func connect(_ client: any Channel, _ context: NIOSSLContext, _ server: Int) -> EventLoopFuture<Void>
    {
        ClientBootstrap(group: client.eventLoop).connect(host: "127.0.0.1", port: server).flatMap { upstream in
            client.eventLoop.makeCompletedFuture {
                try client.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: context), Glue(upstream))
                try upstream.pipeline.syncOperations.addHandler(Glue(client))
            }
        }.flatMap { client.setOption(.autoRead, value: true) }
    }

    /// Writes what it reads to the other side, and ends with it.
    private final class Glue: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let other: any Channel

        init(_ other: any Channel) { self.other = other }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
