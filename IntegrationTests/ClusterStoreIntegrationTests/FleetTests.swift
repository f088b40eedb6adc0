// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterStore
import TestBed
import Testing

private let policy = "networkpolicies/shop/deny"
private let text = Array("kind: NetworkPolicy".utf8)

/// What nodes of a fleet know of each other through real members of etcd.
@Suite(.serialized) struct FleetTests {
    @Test(.timeLimit(.minutes(2))) func `nodes share workloads and policies, and take them back`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            let (a, b) = (
                try FleetNode.started("a", etcd.configuration("ia"), workloads: 150),
                try FleetNode.started("b", etcd.configuration("ib"))
            )
            for node in [a, b] { try await node.knows("all workloads") { $0.workloads.count == 151 } }
            #expect(b.content.workloads["a/shop/w149"] == FleetNode.workload("a", 149))
            a.publish(150, app: "api")
            try await b.knows("other labels") {
                $0.workloads["a/shop/w149"] == FleetNode.workload("a", 149, app: "api")
            }
            a.publish(1, app: "api")
            for node in [a, b] { try await node.knows("fewer workloads") { $0.workloads.count == 2 } }
            let revision = try await a.cluster.apply(documents: [policy: text], author: "test")
            #expect(revision > 0)
            for node in [a, b] { try await node.knows("the policy") { $0.documents == [policy: text] } }
            try await b.cluster.delete(documents: [policy])
            for node in [a, b] { try await node.knows("no policy") { $0.documents.isEmpty } }
            #expect(a.status?.problems == [:])
        }
    }

    @Test(.timeLimit(.minutes(2))) func `what somebody deletes of a node's own is put back`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            let a = try FleetNode.started("a", etcd.configuration("ia"), workloads: 3)
            try await a.knows("its workloads") { $0.workloads.count == 3 }
            try await etcd.control("del", "--prefix", "/bulkhead/").checked()
            try await eventually("all keys are there again", within: .seconds(20)) {
                try await etcd.control("get", "--prefix", "--keys-only", "/bulkhead/").text.split(separator: "\n").count
                    == 4
            }
            try await etcd.control("put", "/bulkhead/v1/workloads/a/shop/w1", "{}").checked()
            try await eventually("what was overwritten is right again", within: .seconds(20)) {
                try await etcd.control("get", "/bulkhead/v1/workloads/a/shop/w1").text.contains("\"app\":\"web\"")
            }
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a node that dies takes its workloads along after lease and grace`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            let a = try FleetNode.started("a", etcd.configuration("ia"), workloads: 5)
            let b = try FleetNode.started("b", etcd.configuration("ib"))
            try await b.knows("all workloads") { $0.workloads.count == 6 }
            a.stop()
            try await eventually("the lease ran out", within: .seconds(30)) {
                try await etcd.control("get", "--prefix", "/bulkhead/v1/workloads/a").text.isEmpty
            }
            #expect(b.content.workloads.count == 6, "within the grace they stay")
            try await b.knows("its own alone") { $0.workloads.keys.sorted() == ["b/shop/w0"] }
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a lost lease becomes a new one, and nobody misses a workload`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            let a = try FleetNode.started("a", etcd.configuration("ia"), workloads: 5)
            let b = try FleetNode.started("b", etcd.configuration("ib"))
            try await b.knows("all workloads") { $0.workloads.count == 6 }
            for lease in try await etcd.control("lease", "list").checked().text.split(separator: "\n").dropFirst() {
                try await etcd.control("lease", "revoke", String(lease)).checked()
            }
            try await eventually("all keys are there again", within: .seconds(30)) {
                try await etcd.control("get", "--prefix", "--keys-only", "/bulkhead/").text.split(separator: "\n")
                    .count { !$0.isEmpty } == 9
            }
            try await eventually("both are complete", within: .seconds(30)) {
                try await etcd.control("get", "--prefix", "/bulkhead/v1/nodes").text
                    .components("\"complete\":true") == 2
            }
            for node in [a, b] { #expect(node.lost.isEmpty) }
            #expect(b.content.workloads.count == 6)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a node with a stolen name is refused, and touches nothing`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            let a = try FleetNode.started("a", etcd.configuration("ia"), workloads: 3)
            try await a.knows("its workloads") { $0.workloads.count == 3 }
            let thief = try FleetNode.started("a", etcd.configuration("other"), workloads: 1)
            try await thief.says("who holds the name") {
                $0.problems["registration"]?.contains("another node is registered as 'a'") == true
            }
            try await thief.knows("that one's workloads, as those of another host") { content in
                content.workloads.count == 3 && content.workloads.values.allSatisfy { $0.node != "a" }
            }
            #expect(a.lost.isEmpty)
            #expect(a.status?.problems == [:])
            a.stop()
            try await thief.says("nothing is wrong once the name is free") { $0.problems.isEmpty }
        }
    }

    @Test(.timeLimit(.minutes(2))) func `values of a newer program are told, and change nothing`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            let b = try FleetNode.started("b", etcd.configuration("ib"))
            try await b.cluster.apply(documents: [policy: text], author: "test")
            try await b.knows("the policy") { $0.documents.count == 1 }
            for key in ["/bulkhead/v1/policies/\(policy)", "/bulkhead/v1/workloads/z/shop/w0", "/bulkhead/v1/nodes/z"] {
                try await etcd.control("put", key, #"{"version":2}"#).checked()
            }
            try await etcd.control("put", "/bulkhead/v2/policies/x", "?").checked()
            try await b.says("three keys are left alone") { $0.problems.count == 3 }
            #expect(b.content.documents == [policy: text])
            #expect(b.content.workloads.keys.sorted() == ["b/shop/w0"])
        }
    }
}

extension String {
    /// How often a text stands in it.
    func components(_ text: String) -> Int { ranges(of: text).count }
}
