// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOHTTPCompression
import NIOSSL

/// Makes a connection out of a socket: the guard, TLS if it is spoken, then HTTP/1.1 or HTTP/2.
struct ConnectionSetup: Sendable {
    var server: ServerContext

    func configure(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let connection = ConnectionGuard(channel: channel)
            server.register(connection)
            try channel.pipeline.syncOperations.addHandler(connection)
            guard let tls = server.tls else { return try configureHTTP1(channel, connection) }
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.context))
            let setup = self
            _ = channel.configureHTTP2SecureUpgrade(
                h2ChannelConfigurator: { channel in
                    channel.eventLoop.makeCompletedFuture { try setup.configureHTTP2(channel, connection) }
                },
                http1ChannelConfigurator: { channel in
                    channel.eventLoop.makeCompletedFuture { try setup.configureHTTP1(channel, connection) }
                })
        }
    }

    private func configureHTTP1(_ channel: any Channel, _ connection: ConnectionGuard) throws {
        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
        try channel.pipeline.syncOperations.addHandlers(
            Self.compressor(),
            RequestHandler(server: server, connection: connection, certificateUser: certificateUser(channel)))
    }

    private func configureHTTP2(_ channel: any Channel, _ connection: ConnectionGuard) throws {
        connection.speaksHTTP2 = true
        let user = certificateUser(channel)
        let server = server
        _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
        ) { stream in
            connection.opened(stream: stream)
            return stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandlers(
                    HTTP2FramePayloadToHTTP1ServerCodec(), Self.compressor(),
                    RequestHandler(server: server, connection: connection, certificateUser: user))
            }
        }
    }

    /// Compresses what is large and whole, for those who ask: as the real server from 128 KiB on, and no watch.
    private static func compressor() -> HTTPResponseCompressor {
        HTTPResponseCompressor { head, _ in
            let length = head.headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
            return length > 128 << 10 ? .compressIfPossible : .doNotCompress
        }
    }

    private func certificateUser(_ channel: any Channel) -> DoubleUser? {
        guard server.tls != nil else { return nil }
        let certificate = try? channel.pipeline.syncOperations.nioSSL_peerCertificate()
        return certificate.flatMap { Authority.user(of: $0) }
    }
}
