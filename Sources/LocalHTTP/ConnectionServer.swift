// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
import NIOCore
import NIOHTTP1

/// Takes accepted connections and serves each in a task of its own.
struct ConnectionServer: Sendable {
    typealias HTTPConnection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    let limits: LocalHTTPServer.Limits
    let connections: ConnectionRegistry
    let handler: LocalHTTPServer.Handler

    /// Sets the connection's pipeline up and starts to serve it.
    ///
    /// On the connection's event loop.
    ///
    /// The task starts here and not behind a sequence of connections, because a connection that such a sequence still
    /// holds when the server stops would never be closed.
    func accept(_ channel: any Channel, _ peer: PeerCredentials) throws {
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderListSize = limits.headerBytesMax
        decoderLimits.maxHeaderFieldSize = limits.headerBytesMax
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoderLimits)
        let connection = try HTTPConnection(wrappingChannelSynchronously: channel)
        let isAccepted = connections.add(channel, peer)
        let task = Task { await serve(connection, peer, isAccepted: isAccepted) }
        if isAccepted { connections.setTask(task, channel) }
    }

    private func serve(_ connection: HTTPConnection, _ peer: PeerCredentials, isAccepted: Bool) async {
        // The channel must be executed in any case: that is what closes it.
        try? await connection.executeThenClose { inbound, _ in
            guard isAccepted else { return }
            let exchange = ServerExchange(
                channel: connection.channel, peer: peer, limits: limits, connections: connections, handler: handler)
            try await exchange.run(inbound)
        }
        connections.remove(connection.channel)
    }

    /// Who connected, as the kernel noted then.
    static func peer(of channel: any Channel) -> EventLoopFuture<PeerCredentials> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        // The shim asserts that this struct is laid out as the kernel's `struct ucred`.
        let raw: EventLoopFuture<bulkhead_peer_credentials> = provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        return raw.map { PeerCredentials(processID: $0.pid, userID: $0.uid, groupID: $0.gid) }
    }
}
