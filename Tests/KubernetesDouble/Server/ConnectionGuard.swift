// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore

/// Stands next to the socket of a connection, below TLS and HTTP, and does to it what networks do.
///
/// `@unchecked Sendable`: everything but the functions marked so happens on the connection's event loop.
final class ConnectionGuard: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private let channel: any Channel
    private var context: ChannelHandlerContext?
    private var isFrozen = false
    private var isLeaving = false
    private var openStreams = 0
    /// Whether the connection speaks HTTP/2, once that is known.
    var speaksHTTP2 = false

    init(channel: any Channel) { self.channel = channel }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isFrozen { context.fireChannelRead(data) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isFrozen { promise?.succeed() } else { context.write(data, promise: promise) }
    }

    /// Lets nothing through from now on while the connection stays open: as near as a loopback comes to a cable that
    /// was pulled.
    ///
    /// From any thread.
    func freeze() { channel.eventLoop.execute { self.isFrozen = true } }

    /// Closes the socket without a farewell of TLS or HTTP: with FIN, or with RST.
    ///
    /// From any thread.
    func cut(reset: Bool) {
        channel.eventLoop.execute {
            if reset, let socket = self.channel as? any SocketOptionProvider {
                _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            }
            self.context?.close(promise: nil)
        }
    }

    /// Tells a client of HTTP/2 to open its next streams elsewhere, and closes a second after the last one has ended.
    ///
    /// From any thread.
    func goAway() {
        channel.eventLoop.execute {
            guard self.speaksHTTP2 else { return }
            self.channel.writeAndFlush(HTTP2Farewell.frame, promise: nil)
            self.isLeaving = true
            self.closeIfDone()
        }
    }

    /// Counts a stream of HTTP/2 for as long as it is open.
    func opened(stream: any Channel) {
        openStreams += 1
        stream.closeFuture.assumeIsolated().whenComplete { _ in
            self.openStreams -= 1
            self.closeIfDone()
        }
    }

    private func closeIfDone() {
        guard isLeaving, openStreams == 0 else { return }
        channel.eventLoop.scheduleTask(in: .seconds(1)) {
            if self.openStreams == 0 { self.channel.close(promise: nil) }
        }
    }

    /// Resolves when the connection is closed.
    var closed: EventLoopFuture<Void> { channel.closeFuture }
}
