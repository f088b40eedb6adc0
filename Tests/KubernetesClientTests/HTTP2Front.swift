// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// Speaks HTTP/2 over TLS to clients, and HTTP/1.1 to the server behind it.
final class HTTP2Front: Sendable {
    private let listener: any Channel
    private let open: OpenConnections

    var port: Int { listener.localAddress?.port ?? 0 }

    /// How many connections came in.
    var connections: Int { open.all.withLock { $0.count } }

    init(to server: Int, certificate: String, key: String) async throws {
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        tls.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: tls)
        let open = OpenConnections()
        self.open = open
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { client in
                let connection = Connection(client)
                open.all.withLock { $0.append(connection) }
                return client.eventLoop.makeCompletedFuture {
                    let pipeline = client.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: context))
                    _ = try pipeline.configureHTTP2Pipeline(
                        mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { HTTP2Front.serve($0, connection, server) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func stop() async {
        try? await listener.close()
        breakConnections()
    }

    /// Asks all clients to make new connections; what runs goes on.
    func goAway() {
        let frame = HTTP2Frame(
            streamID: .rootStream, payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil))
        for connection in open.all.withLock({ $0 }) { connection.channel.writeAndFlush(frame, promise: nil) }
    }

    /// Says nothing more on the connections there are, and does not close them either.
    func freeze() {
        for connection in open.all.withLock({ $0 }) { connection.isFrozen.withLock { $0 = true } }
    }

    func breakConnections() {
        for connection in open.all.withLock({ $0 }) { connection.channel.close(promise: nil) }
    }

    private final class OpenConnections: Sendable {
        let all = Mutex<[Connection]>([])
    }

    fileprivate final class Connection: Sendable {
        let channel: any Channel
        let isFrozen = Mutex(false)

        init(_ channel: any Channel) { self.channel = channel }
    }

    private static func serve(
        _ stream: any Channel, _ connection: Connection, _ server: Int
    ) -> EventLoopFuture<Void> {
        ClientBootstrap(group: stream.eventLoop)
            .channelInitializer { upstream in
                upstream.eventLoop.makeCompletedFuture {
                    try upstream.pipeline.syncOperations.addHTTPClientHandlers()
                    try upstream.pipeline.syncOperations.addHandler(AnswerRelay(stream, connection))
                }
            }
            .connect(host: "127.0.0.1", port: server)
            .flatMap { upstream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandlers(
                        HTTP2FramePayloadToHTTP1ServerCodec(), RequestRelay(upstream))
                }
            }
    }

    private final class RequestRelay: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart

        private let upstream: any Channel

        init(_ upstream: any Channel) { self.upstream = upstream }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let part: HTTPClientRequestPart =
                switch unwrapInboundIn(data) {
                case .head(let head):
                    .head(HTTPRequestHead(version: .http1_1, method: head.method, uri: head.uri, headers: head.headers))
                case .body(let buffer): .body(.byteBuffer(buffer))
                case .end(let trailers): .end(trailers)
                }
            upstream.writeAndFlush(part, promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { upstream.close(promise: nil) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private final class AnswerRelay: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart

        private let stream: any Channel
        private let connection: Connection

        init(_ stream: any Channel, _ connection: Connection) {
            self.stream = stream
            self.connection = connection
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !connection.isFrozen.withLock({ $0 }) else { return }
            let part: HTTPServerResponsePart =
                switch unwrapInboundIn(data) {
                case .head(let head): .head(AnswerRelay.withoutConnectionHeaders(head))
                case .body(let buffer): .body(.byteBuffer(buffer))
                case .end(let trailers): .end(trailers)
                }
            stream.writeAndFlush(part, promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            if !connection.isFrozen.withLock({ $0 }) { stream.close(promise: nil) }
        }

        /// Which HTTP/2 forbids.
        private static func withoutConnectionHeaders(_ head: HTTPResponseHead) -> HTTPResponseHead {
            var head = head
            for name in ["connection", "transfer-encoding", "keep-alive"] { head.headers.remove(name: name) }
            return head
        }
    }
}
