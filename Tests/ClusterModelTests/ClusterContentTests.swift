// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import NetworkModel
import Testing

struct ClusterContentTests {
    private func workload(_ node: String) -> ClusterWorkload {
        ClusterWorkload(node: node, labels: .empty, addresses: [IPAddress(v4: 0x0a00_0001)])
    }

    @Test func `a delta leads from one content to the other, and names nothing that stays`() {
        let old = ClusterContent(
            documents: ["a": [1], "b": [2], "c": [3]], workloads: ["n/x": workload("one"), "n/y": workload("one")])
        let new = ClusterContent(
            documents: ["a": [1], "b": [9], "d": [4]], workloads: ["n/x": workload("two"), "n/z": workload("one")])
        let delta = old.delta(to: new)
        #expect(delta.documents == ["b": [9], "c": nil, "d": [4]])
        #expect(delta.workloads == ["n/x": workload("two"), "n/y": nil, "n/z": workload("one")])
        var content = old
        content.apply(delta)
        #expect(content == new)
        #expect(new.delta(to: new).isEmpty)
    }
}
