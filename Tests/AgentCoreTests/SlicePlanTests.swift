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
            template: PodTemplate(
                namespace: "shop", labels: [Label(source: LabelSource.kubernetes, key: "app", value: app)],
                serviceAccount: "", namedPorts: NamedPorts()),
            node: "n1", addresses: [IPAddress(v4: 0x0acb_0000 + number)], createdAt: 0)
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

    @Test mutating func `who gets an address waits until the slice that names it still is written`() throws {
        plan = SlicePlan(filter: LabelFilter(), workloadsMax: 1)
        start()
        _ = writeAll()
        plan.take(.pods(.replaced([key("a", "shop"): pod("a", 1), key("c", "shop"): pod("c", 2)], keeping: [])))
        let ending = plan.takeWrites(atMost: 9)
        #expect(ending == [SlicePlan.Write(name: "workloads-000002", slice: nil)])
        plan.take(.pods(.upserted(key("d", "shop"), pod("d", 4))))
        #expect(plan.takeWrites(atMost: 9).map { $0.slice?.workloads.keys.first } == ["shop/d"], "that one is nobody's")
        plan.fail(try #require(ending.first))
        #expect(plan.takeWrites(atMost: 9) == ending, "it may still be named")
        plan.settle(try #require(ending.first))
        #expect(plan.takeWrites(atMost: 9).map { $0.slice?.workloads.keys.first } == ["shop/c"])
    }

    @Test mutating func `two that change addresses have none for a moment`() {
        plan = SlicePlan(filter: LabelFilter(), workloadsMax: 1)
        start()
        _ = writeAll()
        plan.take(.pods(.replaced([key("a", "shop"): pod("a", 2), key("b", "shop"): pod("b", 1)], keeping: [])))
        let first = plan.takeWrites(atMost: 9)
        #expect(first.count == 2 && first.allSatisfy { $0.slice == WorkloadSlice() })
        for write in first { plan.settle(write) }
        #expect(Set(writeAll().flatMap { $0.slice?.workloads.keys.map(\.self) ?? [] }) == ["shop/a", "shop/b"])
    }

    @Test mutating func `two of one slice change addresses in one write`() throws {
        start()
        _ = writeAll()
        plan.take(.pods(.replaced([key("a", "shop"): pod("a", 2), key("b", "shop"): pod("b", 1)], keeping: [])))
        let writes = writeAll()
        #expect(writes.count == 1 && writes.first?.slice?.workloads.count == 2)
    }

    /// Nobody knows whether a write of which no answer came is there.
    @Test mutating func `two whose writes failed do not wait for each other`() throws {
        plan = SlicePlan(filter: LabelFilter(), workloadsMax: 1)
        start()
        let first = plan.takeWrites(atMost: 9)
        #expect(first.count == 2)
        for write in first { plan.fail(write) }
        plan.take(.pods(.replaced([key("a", "shop"): pod("a", 2), key("b", "shop"): pod("b", 1)], keeping: [])))
        #expect(Set(writeAll().flatMap { $0.slice?.workloads.keys.map(\.self) ?? [] }) == ["shop/a", "shop/b"])
    }

    @Test mutating func `a write that failed keeps its place`() throws {
        plan = SlicePlan(filter: LabelFilter(), workloadsMax: 1)
        start()
        _ = writeAll()
        plan.take(.pods(.upserted(key("a", "shop"), pod("a", 1, app: "db"))))
        let write = try #require(plan.takeWrites(atMost: 1).first)
        plan.take(.pods(.upserted(key("b", "shop"), pod("b", 2, app: "db"))))
        plan.take(.tick)
        plan.fail(write)
        #expect(plan.takeWrites(atMost: 1) == [write])
    }

    /// Pods that take each other's addresses, an API that fails often, and writes that come in any order.
    @Test(arguments: 0..<20) mutating func `no address is in two slices at any time`(seed: UInt64) {
        var random = SplitMix64(state: seed)
        plan = SlicePlan(filter: LabelFilter(), workloadsMax: 3)
        start()
        var api: [String: WorkloadSlice] = [:]
        var late: [SlicePlan.Write] = []
        /// Answers to some writes; a failure may be one of the answer alone.
        func finish(_ writes: [SlicePlan.Write], failing isFailing: Bool) {
            for write in late {
                plan.take(.slices(write.slice.map { .upserted(key(write.name), $0) } ?? .removed(key(write.name))))
            }
            late = []
            for write in writes.shuffled(using: &random) {
                let isFailure = isFailing && Bool.random(using: &random)
                if isFailure, Bool.random(using: &random) {
                    plan.fail(write)
                    continue
                }
                api[write.name] = write.slice
                let named = api.values.flatMap { $0.workloads.values.flatMap(\.addresses) }
                #expect(named.count == Set(named).count)
                if isFailure {
                    plan.fail(write)
                    late.append(write)
                } else {
                    plan.settle(write)
                }
            }
        }
        var writes: [SlicePlan.Write] = []
        var alive: [String: PodFacts] = [:]
        for second in 0..<300 {
            let name = "p\(Int.random(in: 0..<12, using: &random))"
            var next = pod(name, UInt32.random(in: 1..<12, using: &random))
            next.createdAt = Int64(100 + second)
            alive[name] = Int.random(in: 0..<3, using: &random) == 0 ? nil : next
            plan.take(.pods(alive[name].map { .upserted(key(name, "shop"), $0) } ?? .removed(key(name, "shop"))))
            // Much may change while something is written.
            guard Int.random(in: 0..<3, using: &random) == 0 else { continue }
            finish(writes, failing: true)
            writes = plan.takeWrites(atMost: 4)
        }
        for _ in 0..<100 {
            finish(writes, failing: false)
            writes = plan.takeWrites(atMost: 4)
        }
        var catalogue = PodCatalogue(filter: LabelFilter(), node: "")
        catalogue.replaceNamespaces(["shop": [:]])
        let rest = ["a": pod("a", 1), "b": pod("b", 2)].merging(alive) { $1 }
        catalogue.replacePods(Dictionary(uniqueKeysWithValues: rest.map { (key($0.key, "shop"), $0.value) }))
        let written = api.values.reduce(into: [:]) { $0.merge($1.workloads) { old, _ in old } }
        #expect(written == catalogue.takeAll() && plan.backlog == 0 && api[WorkloadSlice.marker] != nil)
    }
}
