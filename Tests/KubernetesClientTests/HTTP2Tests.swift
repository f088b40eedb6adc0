// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesDouble
import Testing

/// Over HTTP/2, where all requests share one connection.
@Suite(.timeLimit(.minutes(3))) struct HTTP2Tests {
    private struct Bed: Sendable {
        let certificates: Certificates
        let double: KubernetesDouble
        let front: HTTP2Front
        let follower: Follower
        let client: KubernetesClient
    }

    private func run(silence: Duration = .seconds(20), _ body: (Bed) async throws -> Void) async throws {
        let certificates = try Certificates()
        try certificates.authority("ca")
        try certificates.issue("server", by: "ca", alternative: "IP:127.0.0.1")
        let double = try await KubernetesDouble.start()
        let front = try await HTTP2Front(
            to: double.port, certificate: certificates.path("server.crt"), key: certificates.path("server.key"))
        var patience = KubernetesClient.Patience()
        patience.silence = silence
        let client = KubernetesClient(
            KubernetesConfiguration(
                server: "https://127.0.0.1:\(front.port)", authority: .file(certificates.path("ca.crt"))),
            patience: patience)
        try double.setPod("a", "web")
        let follower = Follower(client: client, kind: .pods)
        await follower.wait { $0.objects.count == 1 && $0.statuses.last == .connected }
        try await body(
            Bed(certificates: certificates, double: double, front: front, follower: follower, client: client))
        await follower.end()
        await front.stop()
        await double.stop()
    }

    @Test func `watches and requests share a connection`() async throws {
        try await run { bed in
            for _ in 0..<5 { _ = try await bed.client.send("GET", "/api/v1/pods") }
            try bed.double.setPod("b", "web")
            await bed.follower.wait { $0.objects.count == 2 }
            #expect(bed.front.connections == 1)
        }
    }

    @Test func `a server that goes away is left for another connection, and nothing is listed anew`() async throws {
        try await run { bed in
            bed.front.goAway()
            // What was asked before may end on the old connection; what is asked from now on needs another.
            for _ in 0..<600 where bed.front.connections < 2 {
                _ = try await bed.client.send("GET", "/api/v1/pods")
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(bed.front.connections >= 2)
            try bed.double.setPod("b", "web")
            await bed.follower.wait { $0.objects.count == 2 }
            bed.front.breakConnections()
            try bed.double.setPod("c", "web")
            await bed.follower.wait { $0.objects.count == 3 && $0.statuses.last == .connected }
            #expect(bed.follower.seen.lists == 1)
        }
    }

    @Test func `a connection on which nobody speaks any more is given up for all`() async throws {
        try await run(silence: .milliseconds(1_500)) { bed in
            bed.front.freeze()
            try bed.double.setPod("b", "web")
            await bed.follower.wait("another connection") { $0.objects.count == 2 && $0.statuses.last == .connected }
            #expect(bed.front.connections >= 2)
            _ = try await bed.client.send("GET", "/api/v1/pods")
        }
    }
}
