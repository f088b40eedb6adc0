// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import NetworkModel
import Testing

@testable import ClusterSchema

private typealias Fixture = StoreFixture

@Suite struct StoreViewTests {
    private static let cart = StoreKey.workload(node: "a", name: "shop/cart")
    private static let policy = "networkpolicies/shop/deny"

    private func view(_ limits: StoreView.Limits = .init()) -> StoreView {
        var view = StoreView(layout: Fixture.layout, grace: .seconds(10), limits: limits)
        _ = view.replace(
            with: [
                Fixture.document(Self.policy, "old"), Fixture.node("a"), Fixture.workload("a", "shop/cart"),
            ], now: .zero)
        return view
    }

    @Test func `a list becomes the cluster's content`() {
        let view = view()
        #expect(view.content.workloads == ["a/shop/cart": Fixture.cluster("a")])
        #expect(view.content.documents == [Self.policy: "old".bytes])
        #expect(view.problems.isEmpty)
    }

    @Test func `a workload that its node takes out is gone at once`() {
        var view = view()
        #expect(view.take([Fixture.gone(Self.cart)], now: .zero).workloads == ["a/shop/cart": nil])
        #expect(view.content.workloads.isEmpty)
    }

    private static func told(_ addresses: [String]?, isComplete: Bool = true, _ revision: Int64 = 2) -> StoreEvent {
        var node = StoredNode(instance: "i-a", agent: "1", since: "then", complete: isComplete)
        node.addresses = addresses
        return .put(Fixture.entry(.node("a"), node.bytes, revision))
    }

    @Test func `a host is there by its addresses, until it takes them back`() {
        var view = view()
        let host = ClusterWorkload(host: "a", addresses: ["192.0.2.1", "2001:db8::1"].compactMap { IPAddress($0) })
        let delta = view.take([Self.told(["192.0.2.1", "2001:db8::1"])], now: .zero)
        #expect(delta.workloads == ["a/": host] && host.isHost && !Fixture.cluster("a").isHost)
        #expect(view.take([Self.told(["192.0.2.1", "2001:db8::1"])], now: .zero).isEmpty)
        // A node that begins anew did not say yet that it has none.
        #expect(view.take([Self.told(nil, isComplete: false)], now: .zero).isEmpty)
        #expect(view.content.workloads["a/"] == host)
        #expect(view.take([Self.told([])], now: .zero).workloads == ["a/": nil])
        _ = view.take([Self.told(["192.0.2.1"])], now: .zero)
        // A program that does not know of hosts.
        #expect(view.take([Self.told(nil)], now: .zero).workloads == ["a/": nil])
    }

    @Test func `a host whose lease ran out stays for the grace, and is taken up again`() {
        var view = view()
        _ = view.take([Self.told(["192.0.2.1"])], now: .zero)
        #expect(view.take([Fixture.gone(.node("a"))], now: .seconds(5)).isEmpty)
        #expect(view.expire(now: .seconds(14)).isEmpty)
        #expect(view.take([Self.told(["192.0.2.1"])], now: .seconds(14)).isEmpty)
        #expect(view.expire(now: .seconds(30)).isEmpty && view.content.workloads["a/"] != nil)
        _ = view.replace(with: [], now: .seconds(30))
        #expect(view.expire(now: .seconds(39)).isEmpty && view.content.workloads["a/"] != nil)
        #expect(view.expire(now: .seconds(40)).workloads["a/"] == .some(nil))
    }

    @Test(arguments: [["x"], Array(repeating: "192.0.2.1", count: 65)])
    func `addresses that are none leave the host what it was, and the node there`(addresses: [String]) {
        var view = view()
        _ = view.take([Self.told(["192.0.2.9"])], now: .zero)
        #expect(view.take([Self.told(addresses)], now: .zero).isEmpty && view.nodes["a"] != nil)
        #expect(view.content.workloads["a/"]?.addresses == [IPAddress("192.0.2.9")].compactMap(\.self))
        #expect(view.problems.count == 1)
    }

    @Test func `the addresses of another host that has the reader's name are not the reader's`() {
        var view = StoreView(layout: Fixture.layout, grace: .zero, node: "a", instance: "mine")
        #expect(view.take([Self.told(["192.0.2.1"])], now: .zero).workloads["a/"]??.node == StoreView.alias("a"))
    }

    @Test(arguments: [[0, 1], [1, 0]])
    func `workloads of a node whose lease ran out stay for the grace`(order: [Int]) {
        var view = view()
        let burst = [Fixture.gone(.node("a")), Fixture.gone(Self.cart)]
        #expect(view.take(order.map { burst[$0] }, now: .seconds(5)).isEmpty)
        #expect(view.content.workloads.count == 1)
        #expect(view.expire(now: .seconds(14)).isEmpty)
        #expect(view.expire(now: .seconds(15)).workloads == ["a/shop/cart": nil])
        #expect(view.expire(now: .seconds(16)).isEmpty)
    }

    @Test func `a node that comes back within the grace keeps what it writes again`() {
        var view = view()
        _ = view.take([Fixture.gone(.node("a")), Fixture.gone(Self.cart)], now: .zero)
        let back = [
            StoreEvent.put(Fixture.node("a", isComplete: false, 3)), .put(Fixture.workload("a", "shop/cart", 4)),
        ]
        #expect(view.take(back, now: .seconds(1)).isEmpty)
        #expect(view.expire(now: .seconds(60)).isEmpty)
        #expect(view.content.workloads.count == 1)
    }

    @Test func `what a list lacks of a node that is there is gone, of one that is not stays for the grace`() {
        for (nodes, stays) in [
            ([Fixture.node("a")], false), ([Fixture.node("a", isComplete: false)], true), ([], true),
        ] {
            var view = view()
            guard case .snapshot(let content) = view.replace(with: nodes, now: .seconds(1)) else { return }
            #expect(content.workloads.isEmpty != stays)
            #expect(content.documents.isEmpty)
            #expect(view.expire(now: .seconds(11)).workloads.isEmpty != stays)
        }
    }

    @Test func `a second list does not lengthen the grace`() {
        var view = view()
        _ = view.replace(with: [], now: .zero)
        _ = view.replace(with: [Fixture.node("a")], now: .seconds(9))
        #expect(view.content.workloads.count == 1)
        #expect(view.expire(now: .seconds(10)).workloads.count == 1)
    }

    @Test func `a value that cannot be read leaves what was known, by watch and by list`() {
        var view = view()
        let newer = Fixture.entry(Self.cart, #"{"version":2}"#.bytes, 5)
        let policy = Fixture.entry(.document(Self.policy), "?".bytes, 5)
        #expect(view.take([.put(newer), .put(policy)], now: .zero).isEmpty)
        let known = view.content
        #expect(view.problems.keys.sorted() == [policy.key, newer.key])
        #expect(view.problems[newer.key]?.contains("version 2") == true)
        _ = view.replace(with: [Fixture.node("a"), newer, policy], now: .zero)
        #expect(view.content == known)
        _ = view.take(
            [.put(Fixture.workload("a", "shop/cart", app: "new", 6)), Fixture.gone(.document(Self.policy))], now: .zero)
        #expect(view.problems.isEmpty)
        #expect(view.content.documents.isEmpty)
    }

    @Test func `what was known before the start stays where the first list lacks a silent node or cannot be read`() {
        let known = view().content
        func again() -> StoreView {
            StoreView(layout: Fixture.layout, grace: .seconds(10), remembered: known)
        }
        var silent = again()
        _ = silent.replace(with: [], now: .seconds(1))
        #expect(silent.content.workloads == known.workloads, "its node may be about to register")
        #expect(silent.content.documents.isEmpty, "who took a policy out meant it")
        #expect(silent.expire(now: .seconds(11)).workloads == ["a/shop/cart": nil])
        var newer = again()
        let value = #"{"version":2}"#.bytes
        _ = newer.replace(
            with: [
                Fixture.node("a"), Fixture.entry(Self.cart, value), Fixture.entry(.document(Self.policy), value),
            ], now: .seconds(1))
        #expect(newer.content == known && newer.problems.count == 2)
    }

    @Test func `workloads under the reader's name are another host's while that one holds it`() {
        var view = StoreView(layout: Fixture.layout, grace: .seconds(10), node: "a", instance: "mine")
        let other = StoreView.alias("a")
        _ = view.replace(with: [Fixture.node("a"), Fixture.workload("a", "shop/cart")], now: .zero)
        #expect(view.content.workloads["a/shop/cart"]?.node == other)
        let more = view.take([.put(Fixture.workload("a", "shop/more", 2))], now: .zero)
        #expect(more.workloads["a/shop/more"]??.node == other)
        // Its lease runs out for one of them, and the name is the reader's.
        _ = view.take([Fixture.gone(.node("a"), 3), Fixture.gone(Self.cart, 3)], now: .zero)
        let mine = StoredNode(instance: "mine", agent: "1", since: "then", complete: false)
        let delta = view.take([.put(Fixture.entry(.node("a"), mine.bytes, 4))], now: .seconds(1))
        #expect(delta.workloads == ["a/shop/more": Fixture.cluster("a")])
        #expect(view.content.workloads["a/shop/cart"]?.node == other, "it is kept as what it was")
        // Somebody takes the name away.
        let back = view.take([.put(Fixture.node("a", 5))], now: .seconds(2))
        #expect(back.workloads["a/shop/more"]??.node == other)
        // A list says the same.
        _ = view.replace(with: [Fixture.node("a"), Fixture.workload("a", "shop/more")], now: .seconds(3))
        #expect(view.content.workloads["a/shop/more"]?.node == other)
        _ = view.replace(with: [Fixture.node("a")], now: .seconds(3))
        #expect(view.content.workloads["a/shop/more"] == nil, "the other host is there, and has it no more")
    }

    @Test func `a store that lost its policies takes none away`() {
        var view = view()
        _ = view.take([.put(Fixture.document("x/y/z", "new", 2))], now: .zero)
        let restored = [Fixture.node("a"), Fixture.workload("a", "shop/cart"), Fixture.document(Self.policy, "old")]
        _ = view.replace(with: restored, keepingDocuments: true, now: .zero)
        #expect(view.content.documents == [Self.policy: "old".bytes, "x/y/z": "new".bytes])
        #expect(view.unwritten.keys.sorted() == ["x/y/z"])
        #expect(view.unwritten["x/y/z"] == StoredDocument(text: "new", appliedBy: "me", appliedAt: "then"))
        #expect(view.take([.put(Fixture.document("x/y/z", "new", 3))], now: .zero).isEmpty)
        #expect(view.unwritten.isEmpty)
        // Who deletes it from then on means it.
        _ = view.take([Fixture.gone(.document("x/y/z"), 4)], now: .zero)
        _ = view.replace(with: restored, now: .zero)
        #expect(view.content.documents == [Self.policy: "old".bytes])
    }

    @Test func `who applied a policy is known for as long as the policy is, on one line`() {
        var view = view()
        #expect(view.authors == [Self.policy: StoredAuthor(name: "me", at: "then")])
        let value = StoredDocument(text: "new", appliedBy: "you\nroot", appliedAt: "now").bytes
        _ = view.take([.put(Fixture.entry(.document(Self.policy), value, 2))], now: .zero)
        #expect(view.authors[Self.policy] == StoredAuthor(name: "you root", at: "now"))
        _ = view.replace(with: [Fixture.entry(.document(Self.policy), "?".bytes, 3)], now: .zero)
        #expect(view.authors[Self.policy]?.name == "you root")
        _ = view.take([Fixture.gone(.document(Self.policy), 4)], now: .zero)
        #expect(view.authors.isEmpty)
    }

    @Test func `a key of no layout is told and ignored`() {
        var view = view()
        #expect(view.take([.put(StoreEntry(key: "/t/v1/what", value: [], revision: 3))], now: .zero).isEmpty)
        #expect(view.problems.count == 1)
    }

    @Test func `more than is kept is told and left out, and what is known still changes`() {
        var limits = StoreView.Limits()
        (limits.workloads, limits.documents, limits.nodes) = (1, 1, 1)
        var view = view(limits)
        let delta = view.take(
            [
                .put(Fixture.workload("a", "shop/other", 2)), .put(Fixture.document("x/y/z", "new", 2)),
                .put(Fixture.node("b", 2)), .put(Fixture.workload("a", "shop/cart", app: "new", 2)),
            ], now: .zero)
        #expect(delta.workloads == ["a/shop/cart": Fixture.cluster("a", app: "new")])
        #expect(delta.documents.isEmpty)
        #expect(view.problems.count == 3)
    }

    @Test func `all policies together are bounded`() {
        var limits = StoreView.Limits()
        limits.documentBytes = 6
        var view = view(limits)
        _ = view.take([.put(Fixture.document("x/y/z", "long", 2))], now: .zero)
        #expect(view.content.documents.count == 1)
        _ = view.take([Fixture.gone(.document(Self.policy)), .put(Fixture.document("x/y/z", "long", 3))], now: .zero)
        #expect(view.content.documents == ["x/y/z": "long".bytes])
    }

    @Test func `what a stranger floods the store with is told in few lines`() {
        var view = view()
        _ = view.take((0..<300).map { .put(Fixture.entry(.node("n\($0)"), [], 2)) }, now: .zero)
        #expect(view.problems.count == 65)
        #expect(view.problems["other keys"]?.contains("236") == true)
    }
}
