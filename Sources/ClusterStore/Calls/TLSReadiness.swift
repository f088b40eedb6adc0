// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NIOCore
import NIOSSL
import NIOTLS
import Synchronization

/// How a TLS handshake ended.
final class TLSReadiness: Sendable {
    private let stream: AsyncThrowingStream<Void, any Error>
    private let end: AsyncThrowingStream<Void, any Error>.Continuation

    init() { (stream, end) = AsyncThrowingStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func wait() async throws {
        for try await _ in stream { return }
        throw CancellationError()
    }

    func finish(_ error: (any Error)?) {
        if error == nil { end.yield() }
        end.finish(throwing: error.map { StoreError(.authentication, TLSReadiness.explain($0)) })
    }

    private static func explain(_ error: any Error) -> String {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return "its certificate is not signed by an authority that is trusted here, or has run out"
        }
        if text.contains("ALERT") || text.contains("alert") {
            return "it refuses this node's client certificate, or has none asked for: \(text)"
        }
        return "TLS failed: \(text)"
    }
}

/// Tells how the handshake of a connection ended; all else passes.
final class TLSWatcher: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let ready: TLSReadiness

    init(_ ready: TLSReadiness) { self.ready = ready }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { ready.finish(nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        ready.finish(error)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        ready.finish(ChannelError.eof)
        context.fireChannelInactive()
    }
}
