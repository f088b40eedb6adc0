// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// Serves HTTP/1.1 on a Unix socket.
package final class LocalHTTPServer: Sendable {
    /// What the server grants to clients.
    package struct Limits: Sendable {
        /// Requests with a longer body are answered 413.
        package var bodyBytesMax = 16 << 20
        /// Requests with longer headers are answered 400.
        package var headerBytesMax = 16 << 10
        /// Connections beyond these are closed at once.
        package var connectionsMax = 64
        /// A request must be complete this long after the connection, or the answer before, was.
        package var requestTimeout = Duration.seconds(30)
        /// A client must take each piece of an answer within this time.
        package var writeTimeout = Duration.seconds(30)

        /// The defaults.
        package init() {}
    }

    package typealias Handler = @Sendable (LocalRequest) async -> LocalResponse
    typealias HTTPConnection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    package let socketPath: String
    private let limits: Limits
    private let handler: Handler
    private let listener: NIOAsyncChannel<HTTPConnection, Never>
    private let connections: ConnectionRegistry
    private let inode: UInt64?

    private init(
        socketPath: String, limits: Limits, handler: @escaping Handler,
        listener: NIOAsyncChannel<HTTPConnection, Never>
    ) {
        self.socketPath = socketPath
        self.limits = limits
        self.handler = handler
        self.listener = listener
        self.connections = ConnectionRegistry(limit: limits.connectionsMax)
        self.inode = SocketListener.inode(socketPath)
    }

    /// Binds the socket; clients can connect, and are served once `run` is called.
    ///
    /// A socket file left over from a process that is gone is replaced; one that somebody listens on is not.
    /// - Parameters:
    ///   - mode: of the socket file; who may write it may connect.
    ///   - groupID: group of the socket file; the process's own if nil.
    /// - Throws: `LocalHTTPError`.
    package static func bind(
        socketPath: String, mode: UInt32 = 0o600, groupID: UInt32? = nil, limits: Limits = Limits(),
        handler: @escaping Handler
    ) async throws -> LocalHTTPServer {
        let descriptor = try SocketListener.listen(at: socketPath, mode: mode, groupID: groupID)
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderListSize = limits.headerBytesMax
        decoderLimits.maxHeaderFieldSize = limits.headerBytesMax
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(descriptor) { [decoderLimits] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoderLimits)
                    return try HTTPConnection(wrappingChannelSynchronously: channel)
                }
            }
        return LocalHTTPServer(socketPath: socketPath, limits: limits, handler: handler, listener: listener)
    }

    /// Serves until `shutDown` or cancellation; then the socket file is gone.
    package func run() async throws {
        defer { removeSocketFile() }
        try await withTaskCancellationHandler {
            try await withThrowingDiscardingTaskGroup { group in
                try await listener.executeThenClose { inbound in
                    for try await connection in inbound {
                        let isAccepted = connections.add(connection.channel)
                        group.addTask { await self.serve(connection, isAccepted: isAccepted) }
                    }
                }
            }
        } onCancel: {
            listener.channel.close(promise: nil)
            connections.closeAll()
        }
    }

    /// Stops accepting, lets running requests finish, and closes what is left after the time given.
    package func shutDown(within grace: Duration = .seconds(5)) async {
        listener.channel.close(promise: nil)
        connections.stop()
        let clock = ContinuousClock()
        let deadline = clock.now + grace
        while !connections.isEmpty && clock.now < deadline {
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { break }
        }
        connections.closeAll()
    }

    private func serve(_ connection: HTTPConnection, isAccepted: Bool) async {
        // The channel must be executed in any case: that is what closes it.
        try? await connection.executeThenClose { inbound, _ in
            guard isAccepted else { return }
            defer { connections.remove(connection.channel) }
            let exchange = ServerExchange(
                channel: connection.channel, peer: try await Self.peer(of: connection.channel), limits: limits,
                connections: connections, handler: handler)
            try await exchange.run(inbound)
        }
    }

    private static func peer(of channel: any Channel) async throws -> PeerCredentials {
        guard let provider = channel as? any SocketOptionProvider else {
            throw ChannelError.operationUnsupported
        }
        // The shim asserts that this struct is laid out as the kernel's `struct ucred`.
        let raw: bulkhead_peer_credentials = try await provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED)
        ).get()
        return PeerCredentials(processID: raw.pid, userID: raw.uid, groupID: raw.gid)
    }

    /// Removes the file unless another server has put its own there meanwhile.
    private func removeSocketFile() {
        if let inode, SocketListener.inode(socketPath) == inode { _ = unsafe unlink(socketPath) }
    }
}
