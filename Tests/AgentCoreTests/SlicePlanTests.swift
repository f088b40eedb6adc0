// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import KubernetesClient
import NetworkModel
import Testing

@testable import AgentCore

/// What a controller writes, in which order, and when it writes nothing.
@Suite struct SlicePlanTests {
    private static let first = "workloads-000001"
    private var plan = SlicePlan(filter: LabelFilter())

    private func pod(_ name: String, _ number: UInt32, app: String = "web") -> PodFacts {
        PodFacts(
            uid: "uid-\(name)", namespace: "shop", name: name, node: "n1", labels: ["app": app], serviceAccount: "",
            addresses: [IPAddress(v4: 0x0acb_0000 + number)], namedPorts: [], image: nil,
            createdAt: "2026-01-01T00:00:00Z", isHostNetwork: false, isTerminating: false, hasEnded: false)
    }

    private func key(_ name: String, _ namespace: String = "") -> ObjectKey {
        ObjectKey(namespace: namespace, name: name)
    }

    private mutating func start(_ slices: [String: WorkloadSlice] = [:]) {
        plan.take(.pods(.replaced([key("a", "shop"): pod("a", 1), key("b", "shop"): pod("b", 2)], keeping: [])))
        plan.take(.namespaces(.replaced([key("shop"): [:]], keeping: [])))
        #expect(!plan.isComplete && plan.takeWrites(atMost: 9).isEmpty, "the slices that are there are not known")
        plan.take(
            .slices(.replaced(Dictionary(uniqueKeysWithValues: slices.map { (key($0.key), $0.value) }), keeping: [])))
    }

    /// Writes all there is, as an API that takes it; returns what was written, in its order.
    private mutating func writeAll() -> [SlicePlan.Write] {
        var all: [SlicePlan.Write] = []
        while true {
            let writes = plan.takeWrites(atMost: 1)
            guard let write = writes.first else { return all }
            all.append(write)
            plan.settle(write)
            // It comes back from the watch, too.
            let key = key(write.name)
            plan.take(.slices(write.slice.map { .upserted(key, $0) } ?? .removed(key)))
        }
    }

    @Test mutating func `slices say what pods are, once, and the marker comes when all are there`() {
        start()
        let writes = writeAll()
        #expect(writes.map(\.name) == [Self.first, WorkloadSlice.marker])
        #expect(writes.first?.slice?.workloads.keys.sorted() == ["shop/a", "shop/b"])
        #expect(writes.last?.slice == WorkloadSlice())
        plan.take(.pods(.upserted(key("a", "shop"), pod("a", 1, app: "db"))))
        plan.take(.pods(.removed(key("b", "shop"))))
        let second = writeAll()
        #expect(second.map(\.name) == [Self.first] && second.first?.slice?.workloads.keys.sorted() == ["shop/a"])
        plan.take(.pods(.upserted(key("a", "shop"), pod("a", 1, app: "db"))))
        #expect(writeAll().isEmpty, "nothing is another one")
        plan.take(.namespaces(.removed(key("shop"))))
        #expect(writeAll() == [SlicePlan.Write(name: Self.first, slice: nil)])
    }

    @Test mutating func `a write that failed is tried again as things are then`() throws {
        start()
        let write = try #require(plan.takeWrites(atMost: 9).first)
        #expect(plan.takeWrites(atMost: 9).isEmpty, "it is being written")
        plan.take(.pods(.removed(key("a", "shop"))))
        #expect(plan.takeWrites(atMost: 9).isEmpty, "one write at a time")
        plan.fail(write)
        let again = try #require(plan.takeWrites(atMost: 9).first)
        #expect(again.slice?.workloads.keys.sorted() == ["shop/b"])
        plan.take(.pods(.upserted(key("c", "shop"), pod("c", 3))))
        plan.settle(again)
        #expect(writeAll().first?.slice?.workloads.keys.sorted() == ["shop/b", "shop/c"], "what came meanwhile")
    }

    @Test mutating func `what somebody else wrote or deleted is put right`() throws {
        start()
        let good = try #require(writeAll().first?.slice)
        let repair = [SlicePlan.Write(name: Self.first, slice: good)]
        plan.take(.slices(.upserted(key(Self.first), WorkloadSlice())))
        #expect(writeAll() == repair)
        plan.take(.slices(.removed(key(Self.first))))
        #expect(writeAll() == repair)
        plan.take(.slices(.upserted(key("stranger"), good)))
        #expect(writeAll() == [SlicePlan.Write(name: "stranger", slice: nil)])
        plan.take(.slices(.removed(key(WorkloadSlice.marker))))
        #expect(writeAll() == [SlicePlan.Write(name: WorkloadSlice.marker, slice: WorkloadSlice())])
        // One that cannot be read is as good as none.
        plan.take(
            .slices(.replaced([key(WorkloadSlice.marker): WorkloadSlice()], keeping: [key(Self.first), key("odd")])))
        #expect(writeAll() == [SlicePlan.Write(name: "odd", slice: nil)] + repair)
    }

    @Test mutating func `a successor goes on from what it finds`() throws {
        start()
        let found = try #require(writeAll().first?.slice)
        plan = SlicePlan(filter: LabelFilter())
        start([Self.first: found, "workloads-000007": WorkloadSlice(), WorkloadSlice.marker: WorkloadSlice()])
        #expect(writeAll() == [SlicePlan.Write(name: "workloads-000007", slice: nil)])
    }

    /// Two slices that name one address at a time would let nodes take one workload for the other.
    @Test mutating func `of what comes at once the slice goes first in which an address ends`() {
        plan = SlicePlan(filter: LabelFilter(), workloadsMax: 1)
        start()
        #expect(writeAll().count == 3)
        // The pod of the second slice goes, and its address is taken by one that comes into the place of the first.
        plan.take(
            .pods(.replaced([key("a", "shop"): pod("a", 1), key("c", "shop"): pod("c", 2)], keeping: [])))
        let writes = writeAll()
        #expect(writes.first?.slice?.workloads["shop/c"] == nil && writes.first?.name == "workloads-000002")
        #expect(writes.last?.slice?.workloads["shop/c"] != nil)
        // One that waits longer goes before everything that comes later.
        plan.take(.pods(.upserted(key("d", "shop"), pod("d", 4))))
        plan.take(.pods(.removed(key("a", "shop"))))
        #expect(writeAll().first?.slice?.workloads["shop/d"] != nil)
    }
}
