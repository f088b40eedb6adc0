// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTP/2 connection to one member, for any number of calls at once.
final class GRPCConnection: Sendable {
    typealias StreamChannel = NIOAsyncChannel<HTTP2Frame.FramePayload, HTTP2Frame.FramePayload>
    private typealias Multiplexer = NIOHTTP2Handler.AsyncStreamMultiplexer<Void>

    let endpoint: EtcdConfiguration.Endpoint
    private let channel: any Channel
    private let multiplexer: Multiplexer
    /// Why this end closed it.
    private let reason = Mutex<String?>(nil)

    private init(_ endpoint: EtcdConfiguration.Endpoint, _ channel: any Channel, _ multiplexer: Multiplexer) {
        self.endpoint = endpoint
        self.channel = channel
        self.multiplexer = multiplexer
    }

    deinit { channel.close(promise: nil) }

    /// Connects; with TLS, until both ends have accepted each other.
    static func open(
        to endpoint: EtcdConfiguration.Endpoint, tls: NIOSSLContext?, timeout: Duration
    ) async throws -> GRPCConnection {
        let ready = TLSReadiness()
        let group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup
        let bootstrap = ClientBootstrap(group: group).connectTimeout(TimeAmount(timeout))
        let isName = (try? SocketAddress(ipAddress: endpoint.host, port: 0)) == nil
        do {
            let (channel, multiplexer) = try await bootstrap.connect(host: endpoint.host, port: endpoint.port) {
                channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        // An address is compared with the certificate too: with the one that was connected to.
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: isName ? endpoint.host : nil))
                        try pipeline.addHandler(TLSWatcher(ready))
                    }
                    let multiplexer = try pipeline.configureAsyncHTTP2Pipeline(mode: .client) {
                        $0.eventLoop.makeSucceededVoidFuture()
                    }
                    return (channel, multiplexer)
                }
            }
            let connection = GRPCConnection(endpoint, channel, multiplexer)
            if tls != nil { try await withDeadline(timeout, "it does not finish TLS") { try await ready.wait() } }
            return connection
        } catch let error as StoreError {
            throw StoreError(error.kind, "\(endpoint): \(error.message)")
        } catch {
            throw StoreError(.unavailable, "\(endpoint) cannot be reached: \(describe(error))")
        }
    }

    var isOpen: Bool { channel.isActive }

    func close(because cause: String) {
        reason.withLock { $0 = $0 ?? cause }
        channel.close(promise: nil)
    }

    /// Makes a call; it ends when `body` does.
    func call<Result: Sendable>(
        _ method: String, token: String?, requiresLeader: Bool = false,
        _ body: @Sendable (GRPCStream) async throws -> Result
    ) async throws -> Result {
        var headers: HPACKHeaders = [
            ":method": "POST", ":scheme": endpoint.isSecure ? "https" : "http", ":path": "/etcdserverpb.\(method)",
            ":authority": "\(endpoint.host):\(endpoint.port)", "te": "trailers", "content-type": "application/grpc",
        ]
        if let token { headers.add(name: "token", value: token) }
        // A member that lost its leader ends the call then, instead of falling silent.
        if requiresLeader { headers.add(name: "hasleader", value: "true") }
        do {
            let stream = try await multiplexer.openStream { channel in
                channel.eventLoop.makeCompletedFuture { try StreamChannel(wrappingChannelSynchronously: channel) }
            }
            return try await stream.executeThenClose { inbound, outbound in
                try await outbound.write(.headers(.init(headers: headers)))
                return try await body(GRPCStream(outbound: outbound, inbound: inbound))
            }
        } catch let error as StoreError where error.kind != .unavailable {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let cause = reason.withLock { $0 } ?? (error as? StoreError)?.message ?? GRPCConnection.describe(error)
            throw StoreError(.unavailable, "\(endpoint): \(cause)")
        }
    }

    /// What went wrong, in a line.
    static func describe(_ error: any Error) -> String {
        if let error = error as? NIOConnectionError, let cause = error.connectionErrors.first?.error {
            return describe(cause)
        }
        if let error = error as? IOError { return error.description }
        return "\(error)"
    }
}

/// Runs something for so long at most, then throws `unavailable`.
func withDeadline<Result: Sendable>(
    _ limit: Duration, _ message: String, _ body: @Sendable @escaping () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask(operation: body)
        group.addTask {
            try await Task.sleep(for: limit)
            throw StoreError(.unavailable, message)
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw CancellationError() }
        return result
    }
}
