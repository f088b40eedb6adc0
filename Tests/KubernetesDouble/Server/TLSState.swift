// SPDX-License-Identifier: Apache-2.0

import NIOSSL
import Synchronization

/// The certificate that new connections are shown; it can be replaced while the server runs.
final class TLSState: Sendable {
    private struct State {
        var authority: Authority
        var context: NIOSSLContext
    }

    private let state: Mutex<State>
    private let protocols: [String]

    init(hosts: [String], offersHTTP2: Bool) throws {
        let authority = try Authority()
        protocols = offersHTTP2 ? ["h2", "http/1.1"] : ["http/1.1"]
        let identity = try authority.server(hosts: hosts)
        state = Mutex(State(authority: authority, context: try Self.context(authority, identity, protocols)))
    }

    var authority: Authority { state.withLock { $0.authority } }
    var context: NIOSSLContext { state.withLock { $0.context } }

    /// Shows another certificate from now on, of a new authority if one is given.
    func rotate(hosts: [String], seconds: Double, authority new: Authority?) throws {
        let authority = new ?? self.authority
        let identity = try authority.server(hosts: hosts, seconds: seconds)
        let context = try Self.context(authority, identity, protocols)
        state.withLock { $0 = State(authority: authority, context: context) }
    }

    private static func context(
        _ authority: Authority, _ identity: Authority.Identity, _ protocols: [String]
    ) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(identity.certificate.utf8))
                .map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.key.utf8), format: .pem)))
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.pem.utf8)))
        // Clients may show a certificate or not; one that is shown must be of the authority.
        configuration.certificateVerification = .optionalVerification
        configuration.applicationProtocols = protocols
        return try NIOSSLContext(configuration: configuration)
    }
}
