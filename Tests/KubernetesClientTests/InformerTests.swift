// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesDouble
import Synchronization
import Testing

/// An informer against a server that does what real ones do, and fails as they fail.
@Suite(.timeLimit(.minutes(5))) struct InformerTests {
    private func double(_ change: (inout Faults) -> Void = { _ in }) async throws -> KubernetesDouble {
        let double = try await KubernetesDouble.start()
        double.faults.withLock { change(&$0) }
        return double
    }

    @Test func `what there is comes first, then what changes`() async throws {
        let double = try await double()
        double.setPod("a", "web")
        double.setPod("b", "db")
        let follower = Follower(double)
        await follower.wait { $0.objects == ["shop/a": "web", "shop/b": "db"] && $0.statuses == [.connected] }
        double.setPod("c", "job")
        double.setPod("a", "other")
        double.removePod("b")
        await follower.wait { $0.objects == ["shop/a": "other", "shop/c": "job"] }
        #expect(follower.seen.lists == 1 && double.listRequests == 0, "one watch-list, and no list")
        await follower.end()
        await double.stop()
    }

    @Test func `selectors choose, and what is chosen no more goes`() async throws {
        let double = try await double()
        double.setPod("here", "web", node: "n1")
        double.setPod("there", "web", node: "n2")
        let follower = Follower(double, namespace: "shop", fieldSelector: "spec.nodeName=n1")
        await follower.wait { $0.objects == ["shop/here": "web"] }
        double.setPod("there", "web", node: "n1")
        double.setPod("here", "web", node: "n2")
        await follower.wait { $0.objects == ["shop/there": "web"] }
        await follower.end()
        await double.stop()
    }

    @Test(arguments: [Faults.WatchListRefusal.status, .event])
    func `without watch-lists pages are read, again from the first where their token expires`(
        refusal: Faults.WatchListRefusal
    ) async throws {
        let double = try await double {
            $0.refusesWatchList = refusal
            $0.expiresContinueTokens = true
        }
        for number in 0..<1100 { double.setPod("p\(number)", "web") }
        let follower = Follower(double)
        await follower.wait { $0.objects.count == 1100 && $0.statuses.last == .connected }
        // One page, one that has expired, three pages.
        #expect(double.listRequests == 5 && follower.seen.lists == 1)
        double.removePod("p7")
        await follower.wait { $0.objects.count == 1099 }
        await follower.end()
        await double.stop()
    }

    @Test func `a watch that ends in order goes on where it was, by bookmarks too`() async throws {
        let double = try await double()
        double.setPod("a", "web")
        let follower = Follower(double)
        await follower.wait { $0.objects.count == 1 }
        for number in 0..<5 {
            // Of another kind: only bookmarks tell this watch of the version.
            for _ in 0..<10 { double.set("api/v1/namespaces/x", .object([:])) }
            try await Task.sleep(for: .milliseconds(300))
            double.compact()
            double.endWatches()
            double.setPod("n\(number)", "web")
            await follower.wait { $0.objects.count == number + 2 }
        }
        #expect(follower.seen.lists == 1 && follower.seen.statuses == [.connected])
        await follower.end()
        await double.stop()
    }

    @Test func `what was missed is listed anew, and what went meanwhile goes`() async throws {
        let double = try await double()
        double.setPod("a", "web")
        double.setPod("b", "web")
        let follower = Follower(double)
        await follower.wait { $0.objects.count == 2 }
        await double.stop()
        double.removePod("a")
        double.setPod("c", "web")
        double.compact()
        await follower.wait("the loss") { if case .retrying? = $0.statuses.last { true } else { false } }
        #expect(follower.seen.objects.count == 2, "nothing goes because nobody answers")
        try await double.restart()
        await follower.wait { $0.objects.keys.sorted() == ["shop/b", "shop/c"] && $0.statuses.last == .connected }
        #expect(follower.seen.lists == 2)
        await follower.end()
        await double.stop()
    }

    @Test func `broken connections cost nothing that was told`() async throws {
        let double = try await double()
        let follower = Follower(double)
        await follower.wait { $0.lists == 1 }
        for number in 0..<3 {
            double.breakConnections()
            double.setPod("p\(number)", "web")
            await follower.wait { $0.objects.count == number + 1 }
        }
        #expect(follower.seen.lists == 1)
        await follower.end()
        await double.stop()
    }

    @Test func `a watch that says nothing at all is given up`() async throws {
        let double = try await double { $0.watchSeconds = 3600 }
        let follower = Follower(double, silence: .milliseconds(1500))
        await follower.wait { $0.lists == 1 }
        double.faults.withLock { $0.isSilent = true }
        double.setPod("a", "web")
        await follower.wait("the silence") { if case .retrying? = $0.statuses.last { true } else { false } }
        double.faults.withLock { $0.isSilent = false }
        await follower.wait { $0.objects.count == 1 && $0.statuses.last == .connected }
        await follower.end()
        await double.stop()
    }

    @Test func `bookmarks alone keep a watch alive`() async throws {
        let double = try await double()
        // Bookmarks come five times a second: only a machine that stands still for so long could miss them.
        let follower = Follower(double, silence: .seconds(8))
        await follower.wait { $0.lists == 1 }
        double.faults.withLock { $0.onlyBookmarks = true }
        double.setPod("a", "web")
        try await Task.sleep(for: .seconds(12))
        #expect(follower.seen.statuses == [.connected] && follower.seen.objects.isEmpty)
        double.faults.withLock { $0.onlyBookmarks = false }
        await follower.wait { $0.objects.count == 1 }
        await follower.end()
        await double.stop()
    }

    @Test(arguments: [1, 3, 4096])
    func `lines in pieces, long ones too, are lines`(pieces: Int) async throws {
        let double = try await double { $0.pieceBytes = pieces }
        double.setPod("a", "web", padding: pieces == 4096 ? 10 << 20 : 0)
        let follower = Follower(double)
        await follower.wait { $0.objects.count == 1 }
        double.setPod("b", "web")
        await follower.wait { $0.objects.count == 2 }
        #expect(follower.seen.statuses == [.connected])
        await follower.end()
        await double.stop()
    }

    @Test(arguments: [
        ("<html><body>Login</body></html>", "is no event"),
        (#"{"type":"ADDED","object":{"metadata":{}}}"#, "without a name"),
        (#"{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd is gone"}}"#, "etcd is gone"),
    ])
    func `a line that is no event is told, and everything is asked for anew`(line: String, reason: String) async throws
    {
        let double = try await double { $0.refusesWatchList = .status }
        double.setPod("a", "web")
        double.faults.withLock { $0.firstLine = line }
        let follower = Follower(double)
        await follower.wait { seen in
            seen.statuses.contains { if case .retrying(let text) = $0 { text.contains(reason) } else { false } }
        }
        #expect(follower.seen.objects.count == 1)
        double.faults.withLock { $0.firstLine = #"{"type":"FROBNICATED","object":{"kind":"Odd"}}"# }
        double.setPod("b", "web")
        await follower.wait { $0.objects.count == 2 && $0.statuses.last == .connected }
        await follower.end()
        await double.stop()
    }

    @Test func `one object that cannot be read costs no other, and stays as it was`() async throws {
        let double = try await double()
        double.setPod("a", "web")
        double.setPod("b", "web", labels: ["unreadable": "yes"])
        let follower = Follower(double)
        await follower.wait { $0.objects == ["shop/a": "web"] && $0.statuses.count == 2 }
        let told = InformerStatus.unreadable([ObjectKey(namespace: "shop", name: "b"): "it says that it is unreadable"])
        #expect(follower.seen.statuses == [.connected, told] || follower.seen.statuses == [told, .connected])
        double.setPod("a", "other", labels: ["unreadable": "yes"])
        double.setPod("c", "web")
        await follower.wait { $0.objects == ["shop/a": "web", "shop/c": "web"] }
        // Listed anew it is still there.
        double.compact()
        double.breakConnections()
        double.setPod("d", "web")
        await follower.wait { $0.objects.count == 3 && $0.objects["shop/a"] == "web" }
        double.setPod("a", "mended")
        double.removePod("b")
        await follower.wait { $0.objects["shop/a"] == "mended" && $0.statuses.last == .unreadable([:]) }
        await follower.end()
        await double.stop()
    }
}
