// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ClusterSchema

@Suite struct StoreLayoutTests {
    private let layout = StoreLayout(prefix: "/bulkhead")

    @Test(arguments: [
        (StoreKey.node("web-1"), "/bulkhead/v1/nodes/web-1"),
        (.workload(node: "web-1", name: "shop/cart"), "/bulkhead/v1/workloads/web-1/shop/cart"),
        (.workload(node: "a", name: "shop/a/b c"), "/bulkhead/v1/workloads/a/shop/a%2Fb%20c"),
        (.document("networkpolicies/shop/deny"), "/bulkhead/v1/policies/networkpolicies/shop/deny"),
        (
            .document("ciliumclusterwidenetworkpolicies//all"),
            "/bulkhead/v1/policies/ciliumclusterwidenetworkpolicies/-/all"
        ),
        (.document("x/-/ü"), "/bulkhead/v1/policies/x/%2D/%C3%BC"),
    ])
    func `a key and its text stand for each other`(key: StoreKey, text: String) {
        #expect(layout.text(key) == text)
        #expect(layout.key(text) == key)
    }

    @Test(arguments: [
        "/bulkhead/v2/nodes/a", "/bulkhead/v1/nodes/", "/bulkhead/v1/nodes/a/b", "/bulkhead/v1/nodes/%61",
        "/bulkhead/v1/nodes/%2f", "/bulkhead/v1/nodes/%", "/bulkhead/v1/nodes/%FF", "/bulkhead/v1/workloads/a/b",
        "/bulkhead/v1/policies/a/b/", "/bulkhead/v1/policies/a//b", "/bulkhead/v1/leaders/a", "/bulkhead/v1/", "",
    ])
    func `what another layout or a stranger wrote is no key`(text: String) {
        #expect(layout.key(text) == nil)
    }

    @Test func `a name that is empty, too long or in too few parts has no key`() {
        #expect(layout.text(.node("")) == nil)
        #expect(layout.text(.node(String(repeating: "a", count: 513))) == nil)
        #expect(layout.text(.workload(node: "a", name: "no-namespace")) == nil)
        #expect(layout.text(.document("kind/name")) == nil)
        #expect(layout.text(.document("kind/namespace/")) == nil)
    }
}
