// SPDX-License-Identifier: Apache-2.0

import Glibc
import KubernetesClient
import KubernetesDouble
import LinuxHost
import Synchronization
import Testing

/// What servers, and what stands before them, say instead of an answer.
@Suite(.timeLimit(.minutes(5))) struct RefusalTests {
    @Test func `what one kind may not see costs no other kind`() async throws {
        let double = try await KubernetesDouble.startForFollowers()
        double.faults.set(.forbidden(), on: "pods")
        try double.setPod("a", "web")
        try double.store.set("api/v1/nodes/n1")
        let pods = Follower(double), nodes = Follower(double, kind: .nodes)
        await nodes.wait { $0.objects.count == 1 }
        await pods.wait { if case .forbidden(let text)? = $0.statuses.last { text.contains("403") } else { false } }
        double.faults.clear()
        await pods.wait { $0.objects.count == 1 && $0.statuses.last == .connected }
        for follower in [pods, nodes] { await follower.end() }
        await double.stop()
    }

    @Test func `a kind that is installed later is found, and one that is taken away is told`() async throws {
        let double = try await KubernetesDouble.startForFollowers()
        let kind = ResourceKind(
            group: "cilium.io", version: "v2", plural: "ciliumnetworkpolicies", kind: "CiliumNetworkPolicy")
        let follower = Follower(double, kind: kind)
        await follower.wait { if case .notInstalled? = $0.statuses.last { true } else { false } }
        let definition = ResourceDefinition(
            group: "cilium.io", "ciliumnetworkpolicies", kind: "CiliumNetworkPolicy", versions: ["v2"])
        double.store.serve(definition)
        try double.store.set("apis/cilium.io/v2/namespaces/shop/ciliumnetworkpolicies/p")
        await follower.wait { $0.objects.count == 1 && $0.statuses.last == .connected }
        double.store.withdraw(definition.name)
        await follower.wait { if case .notInstalled? = $0.statuses.last { true } else { false } }
        #expect(follower.seen.objects.count == 1, "what goes is its reader's affair")
        await follower.end()
        await double.stop()
    }

    @Test func `a 404 that comes from something before the server does not mean that a kind is absent`() async throws {
        let double = try await KubernetesDouble.start()
        double.faults.set(.failure(404, reason: "NotFound"))
        try double.setPod("a", "web")
        let follower = Follower(double)
        await follower.wait { seen in
            seen.statuses.contains { if case .retrying(let text) = $0 { text.contains("404") } else { false } }
        }
        #expect(!follower.seen.statuses.contains { if case .notInstalled = $0 { true } else { false } })
        double.faults.clear()
        await follower.wait { $0.objects.count == 1 && $0.statuses.last == .connected }
        await follower.end()
        await double.stop()
    }

    @Test func `a page for people is no answer`() async throws {
        let double = try await KubernetesDouble.startForFollowers()
        double.faults.set(.html)
        let follower = Follower(double)
        await follower.wait { seen in
            seen.statuses.contains { if case .retrying(let text) = $0 { text.contains("page of HTML") } else { false } }
        }
        #expect(follower.seen.lists == 0)
        double.faults.clear()
        await follower.wait { $0.lists == 1 && $0.statuses.last == .connected }
        await follower.end()
        await double.stop()
    }

    @Test func `a server that is busy is left alone for as long as it asks`() async throws {
        let double = try await KubernetesDouble.startForFollowers()
        double.faults.set(.failure(429, reason: "TooManyRequests", retryAfter: 3), times: 1)
        let begin = ContinuousClock.now
        let follower = Follower(double)
        await follower.wait { $0.statuses.last == .connected }
        #expect(ContinuousClock.now - begin >= .seconds(3))
        #expect(double.counters.requests(code: 429).count == 1)
        await follower.end()
        await double.stop()
    }

    @Test func `a token that has rotated is read again at once`() async throws {
        let path = "/tmp/bulkhead-token-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unsafe unlink(path) }
        try AtomicFile.write(Array("first\n".utf8), to: path)
        let double = try await KubernetesDouble.startForFollowers()
        double.access.require(token: "first")
        try double.setPod("a", "web")
        let follower = Follower(double, tokenFile: path)
        await follower.wait { $0.objects.count == 1 }
        try AtomicFile.write(Array("second\n".utf8), to: path)
        double.access.require(token: "second")
        double.breakConnections()
        try double.setPod("b", "web")
        await follower.wait { $0.objects.count == 2 && $0.statuses.last == .connected }
        #expect(
            !follower.seen.statuses.contains {
                if case .retrying(let text) = $0 { text.contains("401") } else { false }
            })
        // One that nobody knows is told, and nothing goes.
        double.access.require(token: "third")
        double.breakConnections()
        await follower.wait { seen in
            seen.statuses.contains { if case .retrying(let text) = $0 { text.contains("401") } else { false } }
        }
        #expect(follower.seen.objects.count == 2)
        await follower.end()
        await double.stop()
    }

    @Test func `a server that was set back is listed anew`() async throws {
        let double = try await KubernetesDouble.startForFollowers()
        for number in 0..<20 { try double.setPod("p\(number)", "web") }
        let follower = Follower(double)
        await follower.wait { $0.objects.count == 20 }
        // Restored from a copy: its versions begin where that one ended.
        double.store.setBack()
        try double.setPod("only", "web")
        double.breakConnections()
        await follower.wait { $0.objects.keys.sorted() == ["shop/only"] }
        await follower.end()
        await double.stop()
    }
}
