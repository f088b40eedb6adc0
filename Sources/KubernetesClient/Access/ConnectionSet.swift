// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Glibc
import NIOCore
import NIOSSL
import Synchronization

/// Connections made with the same certificates.
///
/// Once retired it takes no more requests and closes when the last one running is over.
final class ConnectionSet: Sendable {
    let material: ConnectionMaterial
    let client: HTTPClient
    private let uses = Mutex((running: 0, isRetired: false, isClosed: false))

    init(
        _ configuration: KubernetesConfiguration, _ material: ConnectionMaterial, patience: KubernetesClient.Patience
    ) throws(KubernetesError) {
        self.material = material
        var http = HTTPClient.Configuration()
        http.timeout.connect = .nanoseconds(Int64(patience.connect / .nanoseconds(1)))
        http.timeout.read = .nanoseconds(Int64(patience.silence / .nanoseconds(1)))
        http.redirectConfiguration = .disallow
        // Each watch holds a connection of its own where the server speaks HTTP/1.1 only.
        http.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        http.connectionPool.retryConnectionEstablishment = false
        http.tlsConfiguration = try ConnectionSet.tls(configuration, material)
        http.proxy = try ConnectionSet.proxy(configuration)
        if let name = configuration.serverName, let address = ServerAddress(configuration.server) {
            http.dnsOverride = [name: address.host]
        }
        // A peer that vanished without a word is noticed by the kernel, whatever runs on the connection.
        http.http1_1ConnectionDebugInitializer = ConnectionSet.keepAlive
        http.http2ConnectionDebugInitializer = ConnectionSet.keepAlive
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
    }

    /// Counts a request in; false if this is retired.
    func begin() -> Bool {
        uses.withLock { uses in
            guard !uses.isRetired else { return false }
            uses.running += 1
            return true
        }
    }

    /// Counts a request out.
    func end() {
        let isLast = uses.withLock { uses in
            uses.running -= 1
            return uses.isRetired && uses.running == 0 && !uses.isClosed
        }
        if isLast { close() }
    }

    /// Takes no more requests.
    func retire() {
        let isIdle = uses.withLock { uses in
            uses.isRetired = true
            return uses.running == 0 && !uses.isClosed
        }
        if isIdle { close() }
    }

    private func close() {
        let isFirst = uses.withLock { uses in
            defer { uses.isClosed = true }
            return !uses.isClosed
        }
        if isFirst { client.shutdown { _ in } }
    }

    @Sendable private static func keepAlive(_ channel: any Channel) -> EventLoopFuture<Void> {
        let options: [(NIOBSDSocket.OptionLevel, CInt, Int)] = [
            (.socket, SO_KEEPALIVE, 1), (.tcp, TCP_KEEPIDLE, 20), (.tcp, TCP_KEEPINTVL, 5), (.tcp, TCP_KEEPCNT, 3),
            (.tcp, TCP_USER_TIMEOUT, 30_000),
        ]
        let settings = options.map { level, name, value in
            channel.setOption(
                ChannelOptions.Types.SocketOption(level: level, name: NIOBSDSocket.Option(rawValue: name)), value: value
            )
        }
        // A connection without them works too.
        return EventLoopFuture.andAllComplete(settings, on: channel.eventLoop)
    }

    private static func tls(
        _ configuration: KubernetesConfiguration, _ material: ConnectionMaterial
    ) throws(KubernetesError) -> TLSConfiguration {
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

    private static func proxy(
        _ configuration: KubernetesConfiguration
    ) throws(KubernetesError) -> HTTPClient.Configuration.Proxy? {
        guard let text = configuration.proxy else { return nil }
        guard let address = ServerAddress(text), ["http", "socks5"].contains(address.scheme) else {
            throw KubernetesError(
                .configuration, "proxy-url \"\(text)\" is neither http://host:port nor socks5://host:port")
        }
        return address.scheme == "http"
            ? .server(host: address.host, port: address.port ?? 80)
            : .socksServer(host: address.host, port: address.port ?? 1_080)
    }
}

/// The parts of `scheme://host:port/path`.
struct ServerAddress: Hashable {
    var scheme: String
    /// Without the brackets of an IPv6 address.
    var host: String
    var port: Int?
    /// Empty, or with a slash in front and none at the end.
    var path: String

    init?(_ text: String) {
        guard let mark = text.firstRange(of: "://") else { return nil }
        scheme = text[..<mark.lowerBound].lowercased()
        let rest = text[mark.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        path = String(rest[authority.endIndex...])
        while path.hasSuffix("/") { path.removeLast() }
        let portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            portText = authority[authority.index(after: end)...].split(separator: ":").first
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = String(parts[0])
            portText = parts.count > 1 ? parts[1] : nil
        }
        if let portText {
            guard let number = Int(portText), (1...65_535).contains(number) else { return nil }
            port = number
        }
        guard !host.isEmpty else { return nil }
    }

    /// The same address under another name, which the certificate is for.
    func named(_ name: String) -> String {
        "\(scheme)://\(name)\(port.map { ":\($0)" } ?? "")\(path)"
    }
}
