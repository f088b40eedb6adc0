// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import Synchronization

/// Holds the parts of one answer between the event loop, which gets them, and the one task that asks for them.
final class ResponseReader: Sendable {
    private struct State {
        var channel: (any Channel)?
        var parts: [HTTPClientResponsePart] = []
        var waiter: CheckedContinuation<HTTPClientResponsePart?, any Error>?
        var isComplete = false
        var failure: LocalHTTPError?
    }

    let socketPath: String
    private let state = Mutex(State())

    init(socketPath: String) { self.socketPath = socketPath }

    func attach(_ channel: any Channel) { state.withLock { $0.channel = channel } }

    /// Ends the connection; what waits for a part gets an error.
    func close() {
        let channel = state.withLock { state in
            defer { state.channel = nil }
            return state.channel
        }
        channel?.close(promise: nil)
    }

    /// Fails the answer when the time is over, unless the timer is cancelled before.
    func startTimer(_ limit: Duration) -> Task<Void, Never> {
        Task { [weak self] in
            guard (try? await Task.sleep(for: limit)) != nil, let self else { return }
            self.fail(.timedOut, "no complete answer within \(limit)")
            self.close()
        }
    }

    /// The status of the answer; call first.
    func head() async throws -> Int {
        while let part = try await next() {
            if case .head(let head) = part, head.status.code >= 200 { return Int(head.status.code) }
        }
        throw LocalHTTPError(.broken, socketPath: socketPath, reason: "the connection closed without an answer")
    }

    /// The next piece of the body; nil at its end.
    func nextChunk() async throws -> [UInt8]? {
        while let part = try await next() {
            switch part {
            case .body(let buffer): return Array(buffer.readableBytesView)
            case .end: return nil
            case .head: continue
            }
        }
        return nil
    }

    private func next() async throws -> HTTPClientResponsePart? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (resume, channel) = state.withLock { state -> ((() -> Void)?, (any Channel)?) in
                    precondition(state.waiter == nil, "an answer is read by one task")
                    if !state.parts.isEmpty {
                        let part = state.parts.removeFirst()
                        return ({ continuation.resume(returning: part) }, nil)
                    }
                    if let failure = state.failure { return ({ continuation.resume(throwing: failure) }, nil) }
                    if state.isComplete { return ({ continuation.resume(returning: nil) }, nil) }
                    state.waiter = continuation
                    return (nil, state.channel)
                }
                resume?()
                channel?.read()
            }
        } onCancel: {
            fail(.broken, "the request was cancelled")
            close()
        }
    }

    func receive(_ part: HTTPClientResponsePart) {
        let waiter = state.withLock { state -> CheckedContinuation<HTTPClientResponsePart?, any Error>? in
            if case .end = part { state.isComplete = true }
            guard let waiter = state.waiter else {
                state.parts.append(part)
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: part)
    }

    /// Called when one read of the socket is done: asks for another if it brought nothing to whom waits.
    func readMore() {
        let channel = state.withLock { $0.waiter == nil ? nil : $0.channel }
        channel?.read()
    }

    /// Ends the answer early; the first reason counts, and none after its end.
    func fail(_ code: LocalHTTPError.Code, _ reason: String) {
        let failure = LocalHTTPError(code, socketPath: socketPath, reason: reason)
        let waiter = state.withLock { state -> CheckedContinuation<HTTPClientResponsePart?, any Error>? in
            guard state.failure == nil && !state.isComplete else { return nil }
            state.failure = failure
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(throwing: failure)
    }
}

/// Closes the connection when nobody can read the answer any more; the pipeline itself keeps the reader alive.
final class ReaderLease: Sendable {
    let reader: ResponseReader

    init(_ reader: ResponseReader) { self.reader = reader }

    deinit { reader.close() }
}

/// Hands what the pipeline decodes to the reader.
final class ResponseHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let reader: ResponseReader

    init(_ reader: ResponseReader) { self.reader = reader }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { reader.receive(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) { reader.readMore() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reader.fail(.broken, "the answer is no proper HTTP: \(error)")
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        reader.fail(.broken, "the connection closed in the middle of the answer")
    }
}
