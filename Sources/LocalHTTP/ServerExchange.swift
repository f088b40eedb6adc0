// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// The requests and answers of one connection.
struct ServerExchange: Sendable {
    typealias Inbound = NIOAsyncChannelInboundStream<HTTPServerRequestPart>

    let channel: any Channel
    let peer: PeerCredentials
    let limits: LocalHTTPServer.Limits
    let connections: ConnectionRegistry
    let handler: LocalHTTPServer.Handler

    private enum Incoming {
        case request(LocalRequest, isKeptAlive: Bool)
        /// The body is longer than allowed; it was read to its end, or the client would not read the answer.
        case tooLong
        case end
    }

    func run(_ inbound: Inbound) async throws {
        var parts = inbound.makeAsyncIterator()
        while true {
            switch try await receive(&parts) {
            case .end: return
            case .tooLong:
                let text = "the body is longer than \(limits.bodyBytesMax) bytes"
                try await send(.text(413, text), isKeptAlive: false, isHead: false)
                return
            case .request(let request, let isWanted):
                connections.setAnswering(true, channel)
                defer { connections.setAnswering(false, channel) }
                let response = await handler(request)
                let isKeptAlive = isWanted && connections.setBusy(true, channel)
                try await send(response, isKeptAlive: isKeptAlive, isHead: request.method == "HEAD")
                guard connections.setBusy(false, channel) && isKeptAlive else { return }
            }
        }
    }

    /// Reads one request; a client that takes too long for it loses the connection.
    private func receive(_ parts: inout Inbound.AsyncIterator) async throws -> Incoming {
        let timer = closing(after: limits.requestTimeout)
        defer { timer.cancel() }
        guard case .head(let head)? = try await parts.next() else { return .end }
        _ = connections.setBusy(true, channel)
        var body: [UInt8] = []
        var isTooLong = false
        while let part = try await parts.next() {
            switch part {
            case .head: return .end
            case .body(let buffer):
                isTooLong = isTooLong || body.count + buffer.readableBytes > limits.bodyBytesMax
                if !isTooLong { body.append(contentsOf: buffer.readableBytesView) }
            case .end:
                guard !isTooLong else { return .tooLong }
                let request = LocalRequest(
                    method: head.method.rawValue, target: head.uri, headers: head.headers.map { ($0.name, $0.value) },
                    body: body, peer: peer)
                return .request(request, isKeptAlive: head.isKeepAlive)
            }
        }
        return .end
    }

    private func send(_ response: LocalResponse, isKeptAlive: Bool, isHead: Bool) async throws {
        var headers = HTTPHeaders([("Content-Type", response.contentType)])
        headers.add(name: "Connection", value: isKeptAlive ? "keep-alive" : "close")
        for (name, value) in response.headers { headers.add(name: name, value: value) }
        if case .bytes(let bytes) = response.body { headers.add(name: "Content-Length", value: String(bytes.count)) }
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
        try await write(.head(head))
        switch response.body {
        case .bytes(let bytes):
            if !isHead { try await write(.body(.byteBuffer(ByteBuffer(bytes: bytes)))) }
        case .stream(let chunks):
            if !isHead { try await stream(chunks) }
        }
        try await write(.end(nil))
    }

    /// Sends chunks until the stream ends or the connection closes, which cancels the stream.
    private func stream(_ chunks: AsyncStream<[UInt8]>) async throws {
        let closed = channel.closeFuture
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await chunk in chunks where !chunk.isEmpty {
                    try await write(.body(.byteBuffer(ByteBuffer(bytes: chunk))))
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

    /// Waits until the kernel has taken the part.
    ///
    /// The channel's own writer returns earlier, and what it holds is lost when the connection closes after the answer.
    private func write(_ part: HTTPServerResponsePart) async throws {
        let timer = closing(after: limits.writeTimeout)
        defer { timer.cancel() }
        try await channel.writeAndFlush(part).get()
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
