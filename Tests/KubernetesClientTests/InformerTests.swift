// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesDouble
import Synchronization
import Testing

/// An informer against a server that does what real ones do, and fails as they fail.
@Suite(.timeLimit(.minutes(5))) struct InformerTests {
    private func double(_ faults: Fault...) async throws -> KubernetesDouble {
        let double = try await KubernetesDouble.startForFollowers()
        for fault in faults { double.faults.set(fault) }
        return double
    }

    @Test func `what there is comes first, then what changes`() async throws {
        let double = try await double()
        try double.setPod("a", "web")
        try double.setPod("b", "db")
        let follower = Follower(double)
        await follower.wait { $0.objects == ["shop/a": "web", "shop/b": "db"] && $0.statuses == [.connected] }
        try double.setPod("c", "job")
        try double.setPod("a", "other")
        double.removePod("b")
        await follower.wait { $0.objects == ["shop/a": "other", "shop/c": "job"] }
        #expect(follower.seen.lists == 1 && double.listRequests == 0, "one watch-list, and no list")
        await follower.end()
        await double.stop()
    }

    @Test func `selectors choose, and what is chosen no more goes`() async throws {
        let double = try await double()
        try double.setPod("here", "web", node: "n1")
        try double.setPod("there", "web", node: "n2")
        let follower = Follower(double, namespace: "shop", fieldSelector: "spec.nodeName=n1")
        await follower.wait { $0.objects == ["shop/here": "web"] }
        try double.setPod("there", "web", node: "n1")
        try double.setPod("here", "web", node: "n2")
        await follower.wait { $0.objects == ["shop/there": "web"] }
        await follower.end()
        await double.stop()
    }

    @Test(arguments: [Fault.refusedWatchList(code: 422), .refusedWatchList(code: 400), .failedWatchList])
    func `without watch-lists pages are read, again from the first where their token expires`(
        refusal: Fault
    ) async throws {
        let double = try await double(refusal)
        // The first page is a list too.
        double.faults.set(.expiredContinue, verb: .list, times: 2)
        for number in 0..<1100 { try double.setPod("p\(number)", "web") }
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
        try double.setPod("a", "web")
        let follower = Follower(double)
        await follower.wait { $0.objects.count == 1 }
        for number in 0..<5 {
            // Of another kind: only bookmarks tell this watch of the version.
            for _ in 0..<10 { double.store.put(namespace: "x") }
            try await Task.sleep(for: .milliseconds(300))
            double.store.compact()
            double.endWatches()
            try double.setPod("n\(number)", "web")
            await follower.wait { $0.objects.count == number + 2 }
        }
        #expect(follower.seen.lists == 1 && follower.seen.statuses == [.connected])
        await follower.end()
        await double.stop()
    }

    @Test func `what was missed is listed anew, and what went meanwhile goes`() async throws {
        let double = try await double()
        try double.setPod("a", "web")
        try double.setPod("b", "web")
        let follower = Follower(double)
        await follower.wait { $0.objects.count == 2 }
        await double.stop()
        double.removePod("a")
        try double.setPod("c", "web")
        double.store.compact()
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
            try double.setPod("p\(number)", "web")
            await follower.wait { $0.objects.count == number + 1 }
        }
        #expect(follower.seen.lists == 1)
        await follower.end()
        await double.stop()
    }

    @Test func `a watch that says nothing at all is given up`() async throws {
        let double = try await double()
        let follower = Follower(double, silence: .milliseconds(1500))
        await follower.wait { $0.lists == 1 }
        double.faults.set(.silence)
        try double.setPod("a", "web")
        await follower.wait("the silence") { if case .retrying? = $0.statuses.last { true } else { false } }
        double.faults.clear()
        await follower.wait { $0.objects.count == 1 && $0.statuses.last == .connected }
        await follower.end()
        await double.stop()
    }

    @Test func `bookmarks alone keep a watch alive`() async throws {
        let double = try await double()
        // Bookmarks come five times a second: only a machine that stands still for so long could miss them.
        let follower = Follower(double, silence: .seconds(8))
        await follower.wait { $0.lists == 1 }
        double.faults.set(.onlyBookmarks)
        try double.setPod("a", "web")
        try await Task.sleep(for: .seconds(12))
        #expect(follower.seen.statuses == [.connected] && follower.seen.objects.isEmpty)
        double.faults.clear()
        await follower.wait { $0.objects.count == 1 }
        await follower.end()
        await double.stop()
    }

    @Test(arguments: [1, 3, 4096])
    func `lines in pieces, long ones too, are lines`(pieces: Int) async throws {
        let double = try await double(.pieces(bytes: pieces))
        try double.setPod("a", "web", padding: pieces == 4096 ? 10 << 20 : 0)
        let follower = Follower(double)
        await follower.wait { $0.objects.count == 1 }
        try double.setPod("b", "web")
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
        let double = try await double(.refusedWatchList(code: 422))
        try double.setPod("a", "web")
        let first = double.faults.set(.firstLine(line))
        let follower = Follower(double)
        await follower.wait { seen in
            seen.statuses.contains { if case .retrying(let text) = $0 { text.contains(reason) } else { false } }
        }
        #expect(follower.seen.objects.count == 1)
        double.faults.clear(first)
        double.faults.set(.firstLine(#"{"type":"FROBNICATED","object":{"kind":"Odd"}}"#))
        try double.setPod("b", "web")
        await follower.wait { $0.objects.count == 2 && $0.statuses.last == .connected }
        await follower.end()
        await double.stop()
    }

    @Test func `one object that cannot be read costs no other, and stays as it was`() async throws {
        let double = try await double()
        try double.setPod("a", "web")
        try double.setPod("b", "web", labels: ["unreadable": "yes"])
        let follower = Follower(double)
        await follower.wait { $0.objects == ["shop/a": "web"] && $0.statuses.count == 2 }
        let told = InformerStatus.unreadable([ObjectKey(namespace: "shop", name: "b"): "it says that it is unreadable"])
        #expect(follower.seen.statuses == [.connected, told] || follower.seen.statuses == [told, .connected])
        try double.setPod("a", "other", labels: ["unreadable": "yes"])
        try double.setPod("c", "web")
        await follower.wait { $0.objects == ["shop/a": "web", "shop/c": "web"] }
        // Listed anew it is still there.
        double.store.compact()
        double.breakConnections()
        try double.setPod("d", "web")
        await follower.wait { $0.objects.count == 3 && $0.objects["shop/a"] == "web" }
        try double.setPod("a", "mended")
        double.removePod("b")
        await follower.wait { $0.objects["shop/a"] == "mended" && $0.statuses.last == .unreadable([:]) }
        await follower.end()
        await double.stop()
    }
}
