// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterSchema
import ClusterStore
import Glibc
import TestBed
import Testing

private let text = Array("kind: NetworkPolicy".utf8)

/// What becomes of a fleet whose store suffers.
@Suite(.serialized) struct OutageTests {
    @Test(.timeLimit(.minutes(3))) func `the leader is killed, and the fleet goes on`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed, members: 3)
            let nodes = try (0..<3).map { try FleetNode.started("n\($0)", etcd.configuration("i\($0)")) }
            for node in nodes { try await node.knows("all workloads") { $0.workloads.count == 3 } }
            let leader = try await etcd.leader()
            await etcd.kill(leader)
            try await eventually("the store takes a policy again", within: .seconds(30)) {
                (try? await nodes[0].cluster.apply(documents: ["x/y/z": text], author: "test")) != nil
            }
            for node in nodes { try await node.knows("the policy") { $0.documents.count == 1 } }
            try etcd.start(leader)
            for node in nodes { try await node.says("it is connected") { $0.isConnected && $0.problems.isEmpty } }
            for node in nodes { #expect(node.lost.isEmpty) }
        }
    }

    @Test(.timeLimit(.minutes(3))) func `a member that falls silent is left for another`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed, members: 3)
            let b = try FleetNode.started("b", etcd.configuration("ib"))
            try await b.says("it is connected") { $0.isConnected }
            let member = try #require(etcd.endpoints.firstIndex { b.status?.message.contains($0) == true })
            etcd.signal(member, SIGSTOP)
            defer { etcd.signal(member, SIGCONT) }
            try await b.says("it is connected to another") {
                $0.isConnected && !$0.message.contains(etcd.endpoints[member])
            }
            try await eventually("a policy is taken", within: .seconds(30)) {
                (try? await b.cluster.apply(documents: ["x/y/z": text], author: "test")) != nil
            }
            try await b.knows("the policy") { $0.documents.count == 1 }
            #expect(b.lost.isEmpty)
        }
    }

    @Test(.timeLimit(.minutes(3))) func `the store is gone and comes back: what was known stays, then all converges`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            let a = try FleetNode.started("a", etcd.configuration("ia"), workloads: 3)
            let b = try FleetNode.started("b", etcd.configuration("ib"))
            try await b.knows("all workloads") { $0.workloads.count == 4 }
            try await b.cluster.apply(documents: ["x/y/z": text], author: "test")
            try await b.knows("the policy") { $0.documents.count == 1 }
            await etcd.kill(0)
            try await b.says("nobody answers") { !$0.isConnected && $0.message.contains(etcd.endpoints[0]) }
            a.publish(2, app: "api")
            await #expect(throws: StoreError.self) {
                try await b.cluster.apply(documents: ["x/y/w": text], author: "test")
            }
            // Longer than lease and grace.
            try await Task.sleep(for: .seconds(10))
            #expect(b.content.workloads.count == 4)
            #expect(b.content.documents.count == 1)
            try etcd.start(0)
            try await b.knows("what changed meanwhile") {
                $0.workloads["a/shop/w1"] == FleetNode.workload("a", 1, app: "api") && $0.workloads.count == 3
            }
            try await b.says("it is connected") { $0.isConnected && $0.problems.isEmpty }
            #expect(b.lost == ["a/shop/w2"])
        }
    }

    @Test(.timeLimit(.minutes(3))) func `after a compaction it lists again and says what is gone`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed, members: 3)
            let writer = try FleetNode.started("a", etcd.configuration("ia", members: [1, 2]))
            let b = try FleetNode.started("b", etcd.configuration("ib", members: [0]))
            try await writer.cluster.apply(documents: ["x/y/old": text, "x/y/stays": text], author: "test")
            try await b.knows("both policies") { $0.documents.count == 2 }
            etcd.signal(0, SIGSTOP)
            defer { etcd.signal(0, SIGCONT) }
            try await b.says("its member is silent") { !$0.isConnected }
            try await eventually("the others go on", within: .seconds(30)) {
                (try? await writer.cluster.apply(documents: ["x/y/new": text], author: "test")) != nil
            }
            let revision = try await writer.cluster.delete(documents: ["x/y/old"])
            try await etcd.control("compact", "--physical", "\(revision)", at: 1).checked()
            #expect(b.content.documents["x/y/old"] != nil)
            etcd.signal(0, SIGCONT)
            try await b.knows("what is there now") { $0.documents.keys.sorted() == ["x/y/new", "x/y/stays"] }
        }
    }

    @Test(.timeLimit(.minutes(3))) func `a store that lost its data gets its policies back, and no node loses one`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            var configuration = try etcd.configuration("ib")
            configuration.nameFile = bed.path("store-name")
            let a = try FleetNode.started("a", etcd.configuration("ia"))
            let b = try FleetNode.started("b", configuration)
            // More than one transaction holds.
            for part in 0..<3 {
                let policies = (0..<50).map { ("x/y/p\(part * 50 + $0)", text) }
                try await a.cluster.apply(documents: Dictionary(uniqueKeysWithValues: policies), author: "test")
            }
            for node in [a, b] { try await node.knows("all") { $0.documents.count == 150 && $0.workloads.count == 2 } }
            let policies = { try await etcd.control("get", "--prefix", "--keys-only", "/bulkhead/v1/policies/").text }
            try await etcd.lose(0)
            try await eventually("the policies are there again", within: .seconds(30)) {
                try await policies().split(separator: "\n").count == 150
            }
            for node in [a, b] {
                try await node.says("it is connected") { $0.isConnected && $0.problems.isEmpty }
                #expect(node.lostDocuments.isEmpty && node.lost.isEmpty)
            }
            #expect(await b.cluster.authors()["x/y/p7"]?.name == "test")
            // Deleted is deleted, as before.
            try await a.cluster.delete(documents: ["x/y/p7"])
            try await b.knows("one less") { $0.documents.count == 149 }
            // A node that was not there when it happened brings along what it remembers.
            for node in [a, b] { node.stop() }
            try await etcd.lose(0)
            try await eventually("the store is empty") { try await policies().isEmpty }
            let again = try FleetNode("b", configuration)
            again.cluster.begin(with: b.content)
            again.start()
            again.publish(1)
            try await again.knows("what it remembered") { $0.documents.count == 149 }
            try await eventually("the policies are there again", within: .seconds(30)) {
                try await policies().split(separator: "\n").count == 149
            }
            let stranger = try FleetNode.started("c", etcd.configuration("ic"))
            try await stranger.knows("them too") { $0.documents.count == 149 }
        }
    }

    @Test(.timeLimit(.minutes(3))) func `a store without room says so, and what is known stays`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed, options: ["--quota-backend-bytes", "\(4 << 20)"])
            let a = try FleetNode.started("a", etcd.configuration("ia"))
            try await a.knows("its workload") { $0.workloads.count == 1 }
            let long = Array(String(repeating: "#", count: 900_000).utf8)
            let error = await #expect(throws: StoreError.self) {
                for number in 0..<20 { try await a.cluster.apply(documents: ["x/y/p\(number)": long], author: "test") }
            }
            #expect(error?.kind == .full)
            a.publish(2)
            try await a.says("the store is full") { $0.problems["registration"]?.contains("NOSPACE") == true }
            #expect(a.content.workloads.count == 1)
            #expect(a.status?.isConnected == true)
        }
    }
}
