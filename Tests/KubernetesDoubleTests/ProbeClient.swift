// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import NIOCore
import NIOHTTP1
import NIOPosix

/// A client that knows HTTP and nothing of Kubernetes, so that the double is judged by what goes over the wire.
struct ProbeClient {
    let port: Int

    /// A whole answer.
    struct Response {
        var code: Int
        var headers: [String: String]
        var body: [UInt8]

        var json: JSON { (try? JSON(parsing: body)) ?? .null }
        var names: [String] { (json["items"]?.elements ?? []).compactMap { $0["metadata", "name"]?.text } }
        var version: String { json["metadata", "resourceVersion"]?.text ?? "" }
    }

    /// Sends one request on a connection of its own and reads the answer to its end.
    func send(
        _ method: HTTPMethod, _ uri: String, headers: [(String, String)] = [], body: JSON? = nil
    ) async throws -> Response {
        let exchange = try await open(method, uri, headers: headers, body: body)
        defer { exchange.close() }
        var response = Response(code: 0, headers: [:], body: [])
        for try await part in exchange.parts {
            switch part {
            case .head(let head):
                response.code = Int(head.status.code)
                for header in head.headers { response.headers[header.name.lowercased()] = header.value }
            case .body(let buffer): response.body.append(contentsOf: buffer.readableBytesView)
            case .end: return response
            }
        }
        return response
    }

    func get(_ uri: String, headers: [(String, String)] = []) async throws -> Response {
        try await send(.GET, uri, headers: headers)
    }

    /// Throws where the connection ends without an answer.
    func sendAndExpectAnswer(_ uri: String) async throws {
        let response = try await get(uri)
        if response.code == 0 { throw NoAnswer() }
    }

    struct NoAnswer: Error {}

    /// Begins a watch.
    func watch(_ uri: String, headers: [(String, String)] = []) async throws -> ProbeWatch {
        ProbeWatch(exchange: try await open(.GET, uri, headers: headers, body: nil))
    }

    func open(
        _ method: HTTPMethod, _ uri: String, headers: [(String, String)], body: JSON?
    ) async throws -> Exchange {
        let (parts, continuation) = AsyncThrowingStream<HTTPClientResponsePart, any Error>.makeStream()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(PartCollector(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: uri)
        head.headers = HTTPHeaders([("Host", "127.0.0.1")] + headers)
        let bytes = body?.bytes ?? []
        if !bytes.isEmpty { head.headers.add(name: "Content-Length", value: String(bytes.count)) }
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: bytes))), promise: nil)
        try await channel.writeAndFlush(HTTPClientRequestPart.end(nil)).get()
        return Exchange(parts: parts, channel: channel)
    }

    struct Exchange {
        var parts: AsyncThrowingStream<HTTPClientResponsePart, any Error>
        var channel: any Channel

        func close() { channel.close(promise: nil) }
    }
}

/// Hands what arrives to a stream.
private final class PartCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart
    private let continuation: AsyncThrowingStream<HTTPClientResponsePart, any Error>.Continuation

    init(_ continuation: AsyncThrowingStream<HTTPClientResponsePart, any Error>.Continuation) {
        self.continuation = continuation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { continuation.finish(throwing: error) }
}

/// A watch as a client reads it: line by line.
///
/// `@unchecked Sendable`: one task reads at a time.
final class ProbeWatch: @unchecked Sendable {
    private let exchange: ProbeClient.Exchange
    private var iterator: AsyncThrowingStream<HTTPClientResponsePart, any Error>.AsyncIterator
    private var buffer: [UInt8] = []
    private(set) var code = 0
    /// Whether the body ended as it should.
    private(set) var hasEnded = false
    /// Sizes of the pieces in which the body arrived.
    private(set) var pieces: [Int] = []

    init(exchange: ProbeClient.Exchange) {
        self.exchange = exchange
        iterator = exchange.parts.makeAsyncIterator()
    }

    deinit { exchange.close() }

    /// The next line as a document; nil at the end of the stream.
    func next() async throws -> JSON? {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = Array(buffer[..<end])
                buffer.removeFirst(end + 1)
                return try JSON(parsing: line)
            }
            switch try await iterator.next() {
            case .head(let head): code = Int(head.status.code)
            case .body(let bytes):
                pieces.append(bytes.readableBytes)
                buffer.append(contentsOf: bytes.readableBytesView)
            case .end:
                hasEnded = true
                return nil
            case nil: return nil
            }
        }
    }

    /// Type and name of the next event, as "ADDED web"; of a bookmark the type alone.
    func nextEvent() async throws -> String? {
        guard let line = try await next() else { return nil }
        let name = line["object", "metadata", "name"]?.text
        return (line["type"]?.text ?? "") + (name.map { " \($0)" } ?? "")
    }
}
