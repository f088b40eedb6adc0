// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOHTTP2

/// Requests to an API server, with credentials that are read again as they rotate.
package actor KubernetesClient {
    /// How long to wait for what.
    package struct Patience: Hashable, Sendable {
        /// For a connection.
        package var connect: Duration = .seconds(10)
        /// For an answer as a whole, watches apart.
        package var answer: Duration = .seconds(60)
        /// For the next byte of any answer, of watches too: a server sends a bookmark about once a minute.
        package var silence: Duration = .seconds(120)
        /// A kind that is not there, or may not be seen, is asked for again after this time.
        package var absence: Duration = .seconds(15)
        /// After so long files with credentials are read again.
        package var credentials: Duration = .seconds(60)

        package init() {}
    }

    /// What a request sends.
    package struct Content: Sendable {
        package var bytes: [UInt8]
        package var type: String

        package init(_ bytes: [UInt8], type: String = "application/json") {
            self.bytes = bytes
            self.type = type
        }
    }

    /// A longer answer is refused.
    private static let answerBytesMax = 512 << 20
    /// How servers that log know this program.
    private static let userAgent = "bulkhead"

    package nonisolated let configuration: KubernetesConfiguration
    package nonisolated let patience: Patience
    private let credentials: CredentialSource
    private var inUse: ConnectionSet?
    private var isShutDown = false
    var reachability = Reachability()
    /// What the server said of its kinds, or is being asked, by path.
    var discovered:
        [String: (answer: Task<Result<JSONView, KubernetesError>, Never>, askedAt: ContinuousClock.Instant)] =
            [:]

    package init(_ configuration: KubernetesConfiguration, patience: Patience = Patience()) {
        self.configuration = configuration
        self.patience = patience
        credentials = CredentialSource(configuration, staleAfter: patience.credentials)
    }

    deinit { inUse?.retire() }

    /// Ends connections as soon as nothing runs on them; later requests fail.
    package func shutDown() {
        isShutDown = true
        reachability.probing?.cancel()
        inUse?.retire()
        inUse = nil
    }

    /// Sends a request and returns the body of its answer; throws unless the answer's status is 2xx.
    package func send(
        _ method: String = "GET", _ target: String, _ content: Content? = nil
    ) async throws(KubernetesError) -> [UInt8] {
        let name = "\(method) \(target.prefix { $0 != "?" })"
        let answer = try await open(method, target, content, within: patience.answer)
        return try await collect(answer, name)
    }

    private func collect(_ answer: OpenAnswer, _ name: String) async throws(KubernetesError) -> [UInt8] {
        do {
            let body = try await answer.response.body.collect(upTo: Self.answerBytesMax)
            return withExtendedLifetime(answer) { Array(body.readableBytesView) }
        } catch {
            if Self.isSilence(error) { abandon(answer.connections) }
            throw KubernetesError(.unreachable, "\(name): the answer broke off: \(Self.reason(error))")
        }
    }

    /// Sends a request whose answer is read piece by piece; throws unless the answer's status is 2xx.
    func open(
        _ method: String, _ target: String, _ content: Content? = nil, within time: Duration
    ) async throws(KubernetesError) -> OpenAnswer {
        let name = "\(method) \(target.prefix { $0 != "?" })"
        let first = try await attempt(method, target, content, within: time, name)
        guard first.response.status == .unauthorized, configuration.hasCredentials else {
            return try await admit(first, name)
        }
        // A token that has rotated: once more with the one that stands in its file now.
        await credentials.refuse()
        return try await admit(try await attempt(method, target, content, within: time, name), name)
    }

    /// Asks once.
    private func attempt(
        _ method: String, _ target: String, _ content: Content?, within time: Duration, _ name: String,
        isAgain: Bool = false
    ) async throws(KubernetesError) -> OpenAnswer {
        let current = try await credentials.credentials()
        guard !isShutDown else { throw KubernetesError(.unreachable, "\(name): the client is shut down") }
        let connections = try connections(current.material)
        let request = request(method, target, content, authorization: current.authorization)
        do {
            let deadline = NIODeadline.now() + .nanoseconds(Int64(time / .nanoseconds(1)))
            return OpenAnswer(try await connections.client.execute(request, deadline: deadline), connections)
        } catch {
            connections.end()
            if Self.isSilence(error) { abandon(connections) }
            if !isAgain, Self.isRefusal(error), !Task.isCancelled {
                abandon(connections)
                return try await attempt(method, target, content, within: time, name, isAgain: true)
            }
            throw KubernetesError(.unreachable, "\(name) at \(configuration.server): \(Self.reason(error))")
        }
    }

    /// Throws what an answer says unless it is what was asked for.
    private func admit(_ answer: OpenAnswer, _ name: String) async throws(KubernetesError) -> OpenAnswer {
        let response = answer.response
        if (200...299).contains(response.status.code) {
            try checkKind(of: response, name)
            return answer
        }
        let body = (try? await response.body.collect(upTo: 1 << 20)).map { Array($0.readableBytesView) } ?? []
        throw KubernetesError(
            status: Int(response.status.code), body: body[...],
            // Asked to wait for longer one tries all the same: it may be a proxy's word.
            retryAfter: response.headers.first(name: "Retry-After").flatMap(Double.init).map { min(max($0, 0), 300) },
            request: name)
    }

    /// A page for people with status 200 comes from something that stands before the server.
    private func checkKind(of response: HTTPClientResponse, _ name: String) throws(KubernetesError) {
        guard let type = response.headers.first(name: "Content-Type"), type.lowercased().contains("html") else {
            return
        }
        throw KubernetesError(
            .malformed,
            "\(name): \(configuration.server) answers with a page of HTML: it is not an API server, or a proxy "
                + "stands before it")
    }

    /// What went wrong with a connection, in words.
    private static func reason(_ error: any Error) -> String {
        let text =
            switch error {
            case let error as HTTPClientError: error.shortDescription
            case let error as any CustomStringConvertible: error.description
            default: "\(error)"
            }
        if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("failedToValidateHostname") {
            return "its certificate is not from the certificate authority of the configuration, has expired, or is for "
                + "another name"
        }
        return String(text.prefix(300))
    }

    /// Whether the server was going away, so that nothing was done with the request: on another connection it may be.
    private static func isRefusal(_ error: any Error) -> Bool {
        if let error = error as? NIOHTTP2Errors.StreamClosed { return error.errorCode == .refusedStream }
        // What the client says where the connection that it had chosen began to close before anything was sent.
        return error as? HTTPClientError == .cancelled
    }

    /// Whether nothing was heard, as against an answer or an end of the connection.
    static func isSilence(_ error: any Error) -> Bool {
        guard let error = error as? HTTPClientError else { return false }
        return error == .readTimeout || error == .deadlineExceeded
    }
}

// MARK: - Connections

extension KubernetesClient {
    private func request(
        _ method: String, _ target: String, _ content: Content?, authorization: String?
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: base + target)
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "User-Agent", value: Self.userAgent)
        request.headers.add(name: "Accept", value: "application/json")
        if let content {
            request.headers.add(name: "Content-Type", value: content.type)
            request.body = .bytes(ByteBuffer(bytes: content.bytes))
        }
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        return request
    }

    /// The server under the name that its certificate has: connections go to the host that this name stands for.
    private var base: String {
        guard let name = configuration.serverName, let address = ServerAddress(configuration.server) else {
            return configuration.server
        }
        return address.named(name)
    }

    /// The connections in use, made anew where what they rely on is other than it was; running requests keep theirs.
    private func connections(_ material: ConnectionMaterial) throws(KubernetesError) -> ConnectionSet {
        if let connections = inUse, connections.material == material, connections.begin() { return connections }
        let made = try ConnectionSet(configuration, material, patience: patience)
        _ = made.begin()
        inUse?.retire()
        inUse = made
        return made
    }

    /// Somebody waited in vain on these connections: later requests make others.
    ///
    /// Over HTTP/2 all requests share one, and were it dead each of them would wait in vain.
    func abandon(_ connections: ConnectionSet) {
        connections.retire()
        if inUse === connections { inUse = nil }
    }
}

/// An answer that is read piece by piece.
final class OpenAnswer: Sendable {
    let response: HTTPClientResponse
    let connections: ConnectionSet

    init(_ response: HTTPClientResponse, _ connections: ConnectionSet) {
        self.response = response
        self.connections = connections
    }

    deinit { connections.end() }
}
