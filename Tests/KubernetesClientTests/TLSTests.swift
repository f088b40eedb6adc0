// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesDouble
import Testing

/// Over TLS, where the double stands behind a front that speaks it.
@Suite(.timeLimit(.minutes(3))) struct TLSTests {
    private func client(
        _ front: TLSFront, _ certificates: Certificates, host: String = "127.0.0.1", authority: String = "ca",
        name: String? = nil, user: String? = nil
    ) -> KubernetesClient {
        var configuration = KubernetesConfiguration(
            server: "https://\(host):\(front.port)", authority: .file(certificates.path("\(authority).crt")))
        configuration.serverName = name
        if let user {
            configuration.certificate = .file(certificates.path("\(user).crt"))
            configuration.key = .file(certificates.path("\(user).key"))
        }
        var patience = KubernetesClient.Patience()
        patience.credentials = .milliseconds(50)
        return KubernetesClient(configuration, patience: patience)
    }

    /// What becomes of a request; nil: it was answered.
    private func failure(_ client: KubernetesClient) async -> KubernetesError? {
        do throws(KubernetesError) {
            _ = try await client.send("GET", "/api/v1/pods")
            return nil
        } catch {
            return error
        }
    }

    @Test func `who the server is, and for how long, is looked at`() async throws {
        let certificates = try Certificates()
        try certificates.authority("ca")
        try certificates.authority("other")
        try certificates.issue("server", by: "ca", alternative: "IP:127.0.0.1")
        try certificates.issue("named", by: "ca", alternative: "DNS:kubernetes")
        try certificates.issue("old", by: "ca", alternative: "IP:127.0.0.1", days: -1)
        let double = try await KubernetesDouble.start()
        for (server, authority, name, isGood) in [
            ("server", "ca", nil, true), ("server", "other", nil, false), ("old", "ca", nil, false),
            ("named", "ca", nil, false), ("named", "ca", "kubernetes", true), ("named", "ca", "other", false),
        ] as [(String, String, String?, Bool)] {
            let front = try await TLSFront(
                to: double.port, certificate: certificates.path("\(server).crt"),
                key: certificates.path("\(server).key"))
            let client = client(front, certificates, authority: authority, name: name)
            let failure = await failure(client)
            #expect((failure == nil) == isGood, "\(server) \(authority) \(name ?? "-"): \(String(describing: failure))")
            if let failure { #expect(failure.kind == .unreachable && failure.message.contains("its certificate is")) }
            await client.shutDown()
            await front.stop()
        }
        await double.stop()
    }

    @Test func `clients show their certificate, and another one once it was renewed`() async throws {
        let certificates = try Certificates()
        for name in ["ca", "users", "strangers"] { try certificates.authority(name) }
        try certificates.issue("server", by: "ca", alternative: "IP:127.0.0.1")
        try certificates.issue("node", by: "strangers", alternative: "DNS:node")
        let double = try await KubernetesDouble.start()
        let front = try await TLSFront(
            to: double.port, certificate: certificates.path("server.crt"), key: certificates.path("server.key"),
            clients: certificates.path("users.crt"))
        let stranger = client(front, certificates)
        #expect(await failure(stranger)?.kind == .unreachable, "it shows none")
        let node = client(front, certificates, user: "node")
        #expect(await failure(node)?.kind == .unreachable, "nobody here knows who issued it")
        try certificates.issue("node", by: "users", alternative: "DNS:node")
        #expect(await settles { await failure(node) == nil })
        for client in [stranger, node] { await client.shutDown() }
        await front.stop()
        await double.stop()
    }

    @Test func `an authority that is replaced is read again, and what runs goes on`() async throws {
        let certificates = try Certificates()
        try certificates.authority("ca")
        try certificates.issue("server", by: "ca", alternative: "IP:127.0.0.1")
        let double = try await KubernetesDouble.start()
        let front = try await TLSFront(
            to: double.port, certificate: certificates.path("server.crt"), key: certificates.path("server.key"))
        try double.setPod("a", "web")
        let client = client(front, certificates)
        let informer = Informer(.pods, client) { $0.meta.name ?? "" }
        var changes = informer.changes().makeAsyncIterator()
        var seen: Set<String> = []
        while !seen.contains("a"), let change = await changes.next() {
            if case .replaced(let all, _) = change { seen = Set(all.values) }
        }
        // Another authority, which has not issued what the server shows.
        try certificates.authority("ca")
        #expect(await settles { await failure(client) != nil })
        // The watch keeps what it began with.
        try double.setPod("b", "web")
        while !seen.contains("b"), let change = await changes.next() {
            if case .upserted(_, let name) = change { seen.insert(name) }
        }
        #expect(seen == ["a", "b"])
        await client.shutDown()
        await front.stop()
        await double.stop()
    }

    private func settles(_ condition: () async -> Bool) async -> Bool {
        for _ in 0..<600 {
            if await condition() { return true }
            try? await Task.sleep(for: .milliseconds(50))
        }
        return false
    }
}
