// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOSSL

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
    private var connections: Connections?
    private var token: (text: String, readAt: ContinuousClock.Instant)?

    package init(_ configuration: KubernetesConfiguration, patience: Patience = Patience()) {
        self.configuration = configuration
        self.patience = patience
    }

    /// Ends all connections; call it once, after the last request.
    package func shutDown() async {
        try? await connections?.client.shutdown()
        connections = nil
    }

    /// Sends a request and returns the body of its answer; throws unless the answer's status is 2xx.
    package func send(
        _ method: String = "GET", _ target: String, _ content: Content? = nil
    ) async throws(KubernetesError) -> [UInt8] {
        let name = "\(method) \(target.prefix { $0 != "?" })"
        let response = try await open(method, target, content, within: patience.answer)
        do {
            let body = try await response.body.collect(upTo: Self.answerBytesMax)
            return Array(body.readableBytesView)
        } catch {
            throw KubernetesError(.unreachable, "\(name): the answer broke off: \(Self.reason(error))")
        }
    }

    /// Sends a request whose answer is read piece by piece; throws unless the answer's status is 2xx.
    func open(
        _ method: String, _ target: String, _ content: Content? = nil, within time: Duration
    ) async throws(KubernetesError) -> HTTPClientResponse {
        let name = "\(method) \(target.prefix { $0 != "?" })"
        for isSecondTry in [false, true] {
            let client = try current(isSecondTry)
            let request = try request(method, target, content)
            let response: HTTPClientResponse
            do {
                response = try await client.execute(
                    request, deadline: .now() + .nanoseconds(Int64(time / .nanoseconds(1))))
            } catch {
                throw KubernetesError(.unreachable, "\(name) at \(configuration.server): \(Self.reason(error))")
            }
            if (200...299).contains(response.status.code) {
                try checkKind(of: response, name)
                return response
            }
            let body = (try? await response.body.collect(upTo: 1 << 20)).map { Array($0.readableBytesView) } ?? []
            // A token that has rotated: once more with the one that stands in its file now.
            if response.status == .unauthorized, !isSecondTry, hasToken {
                token = nil
                continue
            }
            throw KubernetesError(
                status: Int(response.status.code), body: body[...],
                retryAfter: response.headers.first(name: "Retry-After").flatMap(Double.init), request: name)
        }
        throw KubernetesError(.unauthorized, "\(name): refused")
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

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: error.shortDescription
        case let error as any CustomStringConvertible: error.description
        default: "\(error)"
        }
    }
}

// MARK: - Credentials

extension KubernetesClient {
    /// The connections in use, and what they were made with.
    private struct Connections {
        var client: HTTPClient
        var material: Material
        var checkedAt: ContinuousClock.Instant
    }

    /// What stands in files, as bytes: other bytes, other connections.
    private struct Material: Hashable {
        var authority: [UInt8]?
        var certificate: [UInt8]?
        var key: [UInt8]?
    }

    private var hasToken: Bool { configuration.token != nil }

    private func request(
        _ method: String, _ target: String, _ content: Content?
    ) throws(KubernetesError) -> HTTPClientRequest {
        var server = configuration.server
        // Connections go to the host that this name stands for, see `makeClient`.
        if let name = configuration.serverName, let host = host(of: server) {
            server.replaceSubrange(host, with: name)
        }
        var request = HTTPClientRequest(url: server + target)
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "User-Agent", value: Self.userAgent)
        request.headers.add(name: "Accept", value: "application/json")
        if let content {
            request.headers.add(name: "Content-Type", value: content.type)
            request.body = .bytes(ByteBuffer(bytes: content.bytes))
        }
        if let token = try currentToken() { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        return request
    }

    private func currentToken() throws(KubernetesError) -> String? {
        guard let source = configuration.token else { return nil }
        if let token, ContinuousClock.now - token.readAt < patience.credentials { return token.text }
        let text = String(decoding: try source.bytes(), as: UTF8.self).filter { !$0.isWhitespace }
        token = (text, .now)
        return text
    }

    /// The connections, made anew where what they rely on is other than it was.
    private func current(_ isForced: Bool) throws(KubernetesError) -> HTTPClient {
        if !isForced, let connections, ContinuousClock.now - connections.checkedAt < patience.credentials {
            return connections.client
        }
        let material = Material(
            authority: try configuration.authority.map { source throws(KubernetesError) in try source.bytes() },
            certificate: try configuration.certificate.map { source throws(KubernetesError) in try source.bytes() },
            key: try configuration.key.map { source throws(KubernetesError) in try source.bytes() })
        if let connections, connections.material == material {
            self.connections?.checkedAt = .now
            return connections.client
        }
        let client = try makeClient(material)
        // Watches that go on under the old credentials end, and are taken up again under the new ones.
        if let old = connections?.client { Task { try? await old.shutdown() } }
        connections = Connections(client: client, material: material, checkedAt: .now)
        return client
    }

    private func makeClient(_ material: Material) throws(KubernetesError) -> HTTPClient {
        var http = HTTPClient.Configuration()
        http.timeout.connect = .nanoseconds(Int64(patience.connect / .nanoseconds(1)))
        http.timeout.read = .nanoseconds(Int64(patience.silence / .nanoseconds(1)))
        http.redirectConfiguration = .disallow
        // Each watch holds a connection of its own where the server speaks HTTP/1.1 only.
        http.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        http.connectionPool.retryConnectionEstablishment = false
        http.tlsConfiguration = try tls(material)
        if let name = configuration.serverName, let host = host(of: configuration.server) {
            http.dnsOverride = [name: String(configuration.server[host])]
        }
        if let proxy = configuration.proxy {
            guard let url = URL(string: proxy), let host = url.host(), let port = url.port else {
                throw KubernetesError(.configuration, "proxy-url \"\(proxy)\" is not http://host:port")
            }
            http.proxy = .server(host: host, port: port)
        }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
    }

    private func tls(_ material: Material) throws(KubernetesError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        do {
            if let bytes = material.authority {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(bytes))
            }
            if let bytes = material.certificate {
                tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(bytes).map { .certificate($0) }
            }
            if let bytes = material.key {
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: bytes, format: .pem))
            }
        } catch {
            throw KubernetesError(.configuration, "certificates for \(configuration.server) cannot be read: \(error)")
        }
        if configuration.isInsecure { tls.certificateVerification = .none }
        return tls
    }

    /// Where the host stands in `https://host:port`.
    private func host(of server: String) -> Range<String.Index>? {
        guard let scheme = server.firstRange(of: "://") else { return nil }
        let rest = server[scheme.upperBound...]
        if rest.first == "[" { return rest.firstIndex(of: "]").map { rest.index(after: rest.startIndex)..<$0 } }
        let end = rest.firstIndex { $0 == ":" || $0 == "/" } ?? rest.endIndex
        return rest.startIndex..<end
    }
}
