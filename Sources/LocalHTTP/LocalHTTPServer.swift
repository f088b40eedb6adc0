// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
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
        /// Of these so many are kept for privileged users.
        package var reservedForPrivileged = 16
        /// Connections of one unprivileged user.
        package var perUserMax = 16
        /// Unprivileged connections without a request make way after this long where there are too many.
        package var crowdedTimeout = Duration.seconds(1)
        /// Users for whom connections are reserved: root, and who runs the server.
        package var isPrivileged: @Sendable (PeerCredentials) -> Bool = { $0.userID == 0 || $0.userID == geteuid() }
        /// A request must be complete this long after the connection, or the answer before, was.
        package var requestTimeout = Duration.seconds(30)
        /// A client must take each piece of an answer within this time.
        package var writeTimeout = Duration.seconds(30)

        /// The defaults.
        package init() {}

        /// Unprivileged connections of all users together.
        var unprivilegedMax: Int { max(connectionsMax - reservedForPrivileged, 0) }
    }

    package typealias Handler = @Sendable (LocalRequest) async -> LocalResponse

    package let socketPath: String
    private let listener: any Channel
    private let connections: ConnectionRegistry
    private let inode: UInt64?

    private init(socketPath: String, listener: any Channel, connections: ConnectionRegistry) {
        self.socketPath = socketPath
        self.listener = listener
        self.connections = connections
        self.inode = SocketListener.inode(socketPath)
    }

    /// Binds the socket and serves from now on.
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
        let connections = ConnectionRegistry(limits: limits)
        let server = ConnectionServer(limits: limits, connections: connections, handler: handler)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                ConnectionServer.peer(of: channel).flatMapThrowing { try server.accept(channel, $0) }
            }
            .withBoundSocket(descriptor).get()
        return LocalHTTPServer(socketPath: socketPath, listener: listener, connections: connections)
    }

    /// Waits until the server has stopped, by `shutDown` or by cancellation; then the socket file is gone.
    package func run() async throws {
        defer { removeSocketFile() }
        try await withTaskCancellationHandler {
            try await listener.closeFuture.get()
            while !connections.isEmpty { try? await Task.sleep(for: .milliseconds(10)) }
        } onCancel: {
            listener.close(promise: nil)
            connections.closeAll()
        }
    }

    /// Stops accepting, lets running requests finish, and closes what is left after the time given.
    package func shutDown(within grace: Duration = .seconds(5)) async {
        listener.close(promise: nil)
        connections.stop()
        let clock = ContinuousClock()
        let deadline = clock.now + grace
        while !connections.isEmpty && clock.now < deadline {
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { break }
        }
        connections.closeAll()
    }

    /// Removes the file unless another server has put its own there meanwhile.
    private func removeSocketFile() {
        if let inode, SocketListener.inode(socketPath) == inode { _ = unsafe unlink(socketPath) }
    }
}
