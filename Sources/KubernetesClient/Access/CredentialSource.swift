// SPDX-License-Identifier: Apache-2.0

import NIOPosix

/// What connections are made with.
struct ConnectionMaterial: Hashable, Sendable {
    /// PEM; nil: what the system trusts.
    var authority: [UInt8]?
    /// PEM, a certificate with its chain, and its key.
    var certificate: [UInt8]?
    var key: [UInt8]?
}

/// The credentials as they are now: files are read again, plugins asked again.
actor CredentialSource {
    struct Credentials: Sendable {
        /// The value of the header `Authorization`; nil: none is sent.
        var authorization: String?
        var material = ConnectionMaterial()
    }

    private let configuration: KubernetesConfiguration
    /// Older ones are read again.
    private let staleAfter: Duration
    private var current: (credentials: Credentials, readAt: ContinuousClock.Instant)?
    private var isRefused = false
    /// What a plugin printed.
    private var printed: ExecCredential?

    init(_ configuration: KubernetesConfiguration, staleAfter: Duration) {
        self.configuration = configuration
        self.staleAfter = staleAfter
    }

    func credentials() async throws(KubernetesError) -> Credentials {
        if let current, !isRefused, ContinuousClock.now - current.readAt < staleAfter, printed?.isCurrent ?? true {
            return current.credentials
        }
        do throws(KubernetesError) {
            let credentials = try await read()
            current = (credentials, .now)
            isRefused = false
            return credentials
        } catch {
            // What was good a minute ago may still be. If it is not, the server says so, and then this is what is wrong.
            guard let old = current?.credentials, !isRefused else { throw error }
            current = (old, .now)
            return old
        }
    }

    /// The server refused them: they are read, and plugins are asked, before the next request.
    func refuse() {
        isRefused = true
        printed = nil
    }

    private func read() async throws(KubernetesError) -> Credentials {
        var credentials = Credentials()
        credentials.material.authority = try bytes(configuration.authority)
        credentials.material.certificate = try bytes(configuration.certificate)
        credentials.material.key = try bytes(configuration.key)
        if let token = try bytes(configuration.token) {
            let text = String(decoding: token, as: UTF8.self).filter { !$0.isWhitespace }
            guard !text.isEmpty else {
                throw KubernetesError(.configuration, "the token for \(configuration.server) is empty")
            }
            credentials.authorization = "Bearer \(text)"
        } else if let login = configuration.login {
            credentials.authorization = "Basic \(base64(Array(login.utf8)))"
        } else if let plugin = configuration.plugin {
            let credential = try await credential(of: plugin)
            if let certificate = credential.certificate, let key = credential.key {
                (credentials.material.certificate, credentials.material.key) = (certificate, key)
            }
            credentials.authorization = credential.token.map { "Bearer \($0)" }
        }
        return credentials
    }

    private func bytes(_ source: KubernetesConfiguration.Source?) throws(KubernetesError) -> [UInt8]? {
        guard let source else { return nil }
        return try source.bytes()
    }

    private func credential(of plugin: ExecPlugin) async throws(KubernetesError) -> ExecCredential {
        if let printed, printed.isCurrent { return printed }
        let question = ExecCredential.question(to: plugin, configuration)
        let output: [UInt8]
        do {
            output = try await NIOThreadPool.singleton.runIfActive { try ExecRunner.run(plugin, question: question) }
        } catch let error as KubernetesError {
            throw error
        } catch {
            throw KubernetesError(.configuration, "credential plugin \(plugin.command): \(error)")
        }
        let credential = try ExecCredential(output, plugin: plugin)
        printed = credential
        return credential
    }
}
