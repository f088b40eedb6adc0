// SPDX-License-Identifier: Apache-2.0

import EtcdProtocol
import LinuxHost
import Logging
import NIOSSL
import SwiftProtobuf

/// Calls to whichever member answers: one connection at a time, the next member when it fails.
actor EtcdClient {
    private let configuration: EtcdConfiguration
    /// Of the files as they were when they could last be used.
    private var tls: NIOSSLContext?
    private let logger: Logger
    /// Of the member that is asked.
    private var member: Int
    private var connection: GRPCConnection?
    private var opening: Task<GRPCConnection, any Error>?
    private var token: String?

    init(_ configuration: EtcdConfiguration, logger: Logger) throws(StoreError) {
        self.configuration = configuration
        self.logger = logger
        // Nodes spread over the members.
        member = Int.random(in: 0..<configuration.endpoints.count)
        tls = configuration.endpoints.contains(where: \.isSecure) ? try EtcdClient.context(configuration.tls) : nil
    }

    /// One question, one answer.
    func ask<Request: Message, Answer: Message>(
        _ method: String, _ request: Request, as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        let timeout = configuration.requestTimeout
        return try await withMember { connection, token in
            try await withDeadline(timeout, "\(connection.endpoint): it gives no answer") {
                try await connection.call(method, token: token) { stream in
                    try await EtcdClient.exchange(request, on: stream, with: connection)
                }
            }
        }
    }

    /// A call that goes on: at one member, until it ends.
    func follow(
        _ method: String, requiresLeader: Bool, _ body: @Sendable @escaping (GRPCStream) async throws -> Void
    ) async throws {
        let (connection, token) = try await current()
        do {
            try await connection.call(method, token: token, requiresLeader: requiresLeader, body)
            throw StoreError(.unavailable, "\(connection.endpoint): it ended the watch")
        } catch {
            note(error, from: connection)
            throw error
        }
    }

    /// Which member is asked, for people.
    var place: String { "\(configuration.endpoints[member])" }

    private static func exchange<Request: Message, Answer: Message>(
        _ request: Request, on stream: GRPCStream, with connection: GRPCConnection
    ) async throws -> Answer {
        try await stream.send(request, isLast: true)
        var answer: Answer?
        try await stream.forEach(Answer.self) { message in
            answer = message
            return true
        }
        guard let answer else { throw StoreError(.unavailable, "it gave no answer") }
        return answer
    }

    /// Asks member after member, each once, and twice one whose token ran out.
    private func withMember<Result: Sendable>(
        _ body: (GRPCConnection, String?) async throws -> Result
    ) async throws -> Result {
        var failure = StoreError(.unavailable, "no member of the store was asked")
        for _ in 0...configuration.endpoints.count {
            do {
                let (connection, token) = try await current()
                do {
                    return try await body(connection, token)
                } catch {
                    note(error, from: connection)
                    throw error
                }
            } catch let error as StoreError where error.kind == .unavailable || error.kind == .token {
                failure = error
            }
        }
        throw failure
    }

    /// The connection in use, or a new one; with a token if the store wants one.
    private func current() async throws -> (GRPCConnection, String?) {
        let connection = try await connected()
        if let credentials = configuration.credentials, token == nil {
            token = try await authenticate(credentials, at: connection)
        }
        return (connection, token?.isEmpty == true ? nil : token)
    }

    private func connected() async throws -> GRPCConnection {
        if let connection, connection.isOpen { return connection }
        connection = nil
        if let opening { return try await opening.value }
        let endpoint = configuration.endpoints[member]
        if endpoint.isSecure { renewTLS() }
        let task = Task { [tls, configuration] in
            try await GRPCConnection.open(
                to: endpoint, tls: endpoint.isSecure ? tls : nil, timeout: configuration.requestTimeout)
        }
        opening = task
        defer { opening = nil }
        do {
            let opened = try await task.value
            connection = opened
            return opened
        } catch {
            next()
            throw error
        }
    }

    /// Empty: the store asks nobody who he is.
    private func authenticate(
        _ credentials: EtcdConfiguration.Credentials, at connection: GRPCConnection
    ) async throws -> String {
        var request = Etcdserverpb_AuthenticateRequest()
        let current = credentials.current
        request.name = current.user
        request.password = current.password
        do {
            let answer = try await withDeadline(
                configuration.requestTimeout, "\(connection.endpoint): it gives no answer"
            ) {
                [request] in
                try await connection.call("Auth/Authenticate", token: nil) { stream in
                    try await EtcdClient.exchange(request, on: stream, with: connection)
                        as Etcdserverpb_AuthenticateResponse
                }
            }
            return answer.token
        } catch let error as StoreError where error.message.contains("authentication is not enabled") {
            return ""
        } catch {
            note(error, from: connection)
            throw error
        }
    }

    private func note(_ error: any Error, from failed: GRPCConnection) {
        guard let error = error as? StoreError else { return }
        switch error.kind {
        case .token: token = nil
        case .unavailable, .protocolViolation:
            guard failed === connection else { return }
            failed.close(because: "it gave no answer")
            connection = nil
            next()
        default: break
        }
    }

    private func next() { member = (member + 1) % configuration.endpoints.count }

    /// Certificates run out and are renewed in their place; while they are being written, those before do.
    private func renewTLS() {
        do throws(StoreError) {
            tls = try EtcdClient.context(configuration.tls)
        } catch {
            logger.warning("\(error)", metadata: ["consequence": "what was read before is used"])
        }
    }

    private static func context(_ files: EtcdConfiguration.TLS) throws(StoreError) -> NIOSSLContext {
        do {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.applicationProtocols = ["h2"]
            if let path = files.authorities {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path))
            }
            if let path = files.certificate {
                tls.certificateChain = try NIOSSLCertificate.fromPEMFile(path).map { .certificate($0) }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: files.key ?? path, format: .pem))
            }
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw StoreError(.authentication, "the files for TLS cannot be used: \(error)")
        }
    }
}
