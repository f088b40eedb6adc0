// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// The requests and answers of one connection.
struct ServerExchange: Sendable {
    typealias Inbound = NIOAsyncChannelInboundStream<HTTPServerRequestPart>
    typealias Outbound = NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>

    let channel: any Channel
    let peer: PeerCredentials
    let limits: LocalHTTPServer.Limits
    let connections: ConnectionRegistry
    let handler: LocalHTTPServer.Handler

    private enum Incoming {
        case request(LocalRequest, isKeptAlive: Bool)
        /// The body is longer than allowed; the rest of it is not read.
        case tooLong
        case end
    }

    func run(_ inbound: Inbound, _ outbound: Outbound) async throws {
        var parts = inbound.makeAsyncIterator()
        while true {
            switch try await receive(&parts) {
            case .end: return
            case .tooLong:
                let text = "the body is longer than \(limits.bodyBytesMax) bytes"
                try await send(.text(413, text), outbound, isKeptAlive: false, isHead: false)
                return
            case .request(let request, let isWanted):
                let isServing = connections.setBusy(true, channel)
                let response = await handler(request)
                let isKeptAlive = isWanted && isServing
                try await send(response, outbound, isKeptAlive: isKeptAlive, isHead: request.method == "HEAD")
                guard connections.setBusy(false, channel) && isKeptAlive else { return }
            }
        }
    }

    /// Reads one request; a client that takes too long for it loses the connection.
    private func receive(_ parts: inout Inbound.AsyncIterator) async throws -> Incoming {
        let timer = closing(after: limits.requestTimeout)
        defer { timer.cancel() }
        guard case .head(let head)? = try await parts.next() else { return .end }
        var body: [UInt8] = []
        while let part = try await parts.next() {
            switch part {
            case .head: return .end
            case .body(let buffer):
                guard body.count + buffer.readableBytes <= limits.bodyBytesMax else { return .tooLong }
                body.append(contentsOf: buffer.readableBytesView)
            case .end:
                let request = LocalRequest(
                    method: head.method.rawValue, target: head.uri, headers: head.headers.map { ($0.name, $0.value) },
                    body: body, peer: peer)
                return .request(request, isKeptAlive: head.isKeepAlive)
            }
        }
        return .end
    }

    private func send(
        _ response: LocalResponse, _ outbound: Outbound, isKeptAlive: Bool, isHead: Bool
    ) async throws {
        var headers = HTTPHeaders([("Content-Type", response.contentType)])
        headers.add(name: "Connection", value: isKeptAlive ? "keep-alive" : "close")
        if case .bytes(let bytes) = response.body { headers.add(name: "Content-Length", value: String(bytes.count)) }
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
        try await write(.head(head), outbound)
        switch response.body {
        case .bytes(let bytes):
            if !isHead { try await write(.body(.byteBuffer(ByteBuffer(bytes: bytes))), outbound) }
        case .stream(let chunks):
            if !isHead { try await stream(chunks, outbound) }
        }
        try await write(.end(nil), outbound)
    }

    /// Sends chunks until the stream ends or the connection closes, which cancels the stream.
    private func stream(_ chunks: AsyncStream<[UInt8]>, _ outbound: Outbound) async throws {
        let closed = channel.closeFuture
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await chunk in chunks where !chunk.isEmpty {
                    try await write(.body(.byteBuffer(ByteBuffer(bytes: chunk))), outbound)
                }
            }
            group.addTask {
                // Without this a stream that is silent would outlive its client. A future knows no cancellation.
                try await withCancellableWait(for: closed)
                throw ChannelError.alreadyClosed
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func write(_ part: HTTPServerResponsePart, _ outbound: Outbound) async throws {
        let timer = closing(after: limits.writeTimeout)
        defer { timer.cancel() }
        try await outbound.write(part)
    }

    private func closing(after limit: Duration) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: TimeAmount(limit)) { [channel] in channel.close(promise: nil) }
    }
}

/// Waits until the future is fulfilled or the task is cancelled.
private func withCancellableWait(for future: EventLoopFuture<Void>) async throws {
    let promise = future.eventLoop.makePromise(of: Void.self)
    future.cascade(to: promise)
    try await withTaskCancellationHandler {
        try await promise.futureResult.get()
    } onCancel: {
        promise.fail(CancellationError())
    }
}
