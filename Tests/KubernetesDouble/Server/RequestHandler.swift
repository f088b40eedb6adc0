// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import Synchronization

/// Reads the requests of a connection, or of one stream of HTTP/2, and writes their answers.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: ServerContext
    private let connection: ConnectionGuard
    private let certificateUser: DoubleUser?
    private var request: APIRequest?
    private var head: HTTPRequestHead?
    private var watch: WatchStream?

    init(server: ServerContext, connection: ConnectionGuard, certificateUser: DoubleUser?) {
        self.server = server
        self.connection = connection
        self.certificateUser = certificateUser
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            request = APIRequest(
                method: head.method.rawValue, uri: head.uri, headers: head.headers.map { ($0.name, $0.value) })
            request?.certificateUser = certificateUser
        case .body(let buffer): request?.body.append(contentsOf: buffer.readableBytesView)
        case .end:
            guard let request, let head else { return }
            self.request = nil
            receive(request, head: head, context: context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        watch?.pump()
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        watch?.cancel()
        watch = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func receive(_ request: APIRequest, head: HTTPRequestHead, context: ChannelHandlerContext) {
        if request.path.first == "_double", let control = server.control.withLock({ $0 }) {
            return write(control(request), RequestFaults([]), head, context)
        }
        let target = request.target
        let verb = target.flatMap(request.verb) ?? .other
        let faults = RequestFaults(server.faults.striking(target?.resource.plural, verb))
        let user = server.access.user(of: request)
        var record = RecordedRequest(
            verb: verb, resource: target?.resource, method: request.method, uri: request.uri, headers: request.headers,
            user: user?.name ?? "", code: 0, time: ContinuousClock().now)
        if faults.isReset || faults.hasNoAnswer {
            server.counters.record(record)
            if faults.isReset { connection.cut(reset: true) }
            return
        }
        let reply = RequestResponder(server: server, faults: faults).reply(to: request, user: user)
        switch reply {
        case .answer(let answer): record.code = answer.code
        case .watch: record.code = 200
        }
        server.counters.record(record)
        guard faults.delayMilliseconds > 0 else { return send(reply, faults, head, context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .milliseconds(faults.delayMilliseconds)) {
            let (handler, context) = bound.value
            if context.channel.isActive { handler.send(reply, faults, head, context) }
        }
    }

    private func send(
        _ reply: Reply, _ faults: RequestFaults, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        switch reply {
        case .answer(let answer): write(answer, faults, head, context)
        case .watch(let plan): begin(plan, faults, head, context)
        }
    }

    private func write(
        _ answer: Answer, _ faults: RequestFaults, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        var headers = HTTPHeaders(answer.headers.map { ($0.name, $0.value) })
        headers.add(name: "Content-Length", value: String(answer.body.count))
        let isLast = isLast(faults, head)
        if isLast { farewell(&headers) }
        let response = HTTPResponseHead(
            version: head.version, status: HTTPResponseStatus(statusCode: answer.code), headers: headers)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        for piece in answer.body.pieces(of: faults.pieceBytes) {
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: piece)))), promise: nil)
        }
        let channel = context.channel
        let end = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if isLast { end.whenComplete { _ in channel.close(promise: nil) } }
    }

    /// Whether the connection ends with this answer.
    ///
    /// Streams of HTTP/2 end in any case, and their connection goes on.
    private func isLast(_ faults: RequestFaults, _ head: HTTPRequestHead) -> Bool {
        faults.isLast || !connection.speaksHTTP2 && !head.isKeepAlive
    }

    private func farewell(_ headers: inout HTTPHeaders) {
        if connection.speaksHTTP2 { connection.goAway() } else { headers.add(name: "Connection", value: "close") }
    }

    private func begin(
        _ plan: WatchPlan, _ faults: RequestFaults, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        let isLast = isLast(faults, head)
        var headers: HTTPHeaders = ["Content-Type": "application/json", "Cache-Control": "no-cache, private"]
        if isLast { farewell(&headers) }
        let response = HTTPResponseHead(version: head.version, status: .ok, headers: headers)
        context.writeAndFlush(wrapOutboundOut(.head(response)), promise: nil)
        let channel = context.channel
        let stream = WatchStream(plan, server: server, channel: channel) { [weak self] in
            self?.watch = nil
            let end = channel.writeAndFlush(HTTPServerResponsePart.end(nil))
            if isLast { end.whenComplete { _ in channel.close(promise: nil) } }
        }
        watch = stream
        stream.start()
    }
}

extension [UInt8] {
    /// The bytes in pieces of a size, or in one.
    func pieces(of size: Int?) -> [ArraySlice<UInt8>] {
        guard let size, size > 0 else { return [self[...]] }
        return stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}
