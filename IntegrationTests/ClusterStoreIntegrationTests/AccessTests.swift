// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterStore
import TestBed
import Testing

private let text = Array("kind: NetworkPolicy".utf8)

/// Who may talk to the store, and what is said to those who may not.
@Suite(.serialized) struct AccessTests {
    @Test(.timeLimit(.minutes(2))) func `with certificates of both ends it works, without either it is told why not`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed, isSecure: true)
            let right = try etcd.configuration("ia")
            let a = try FleetNode.started("a", right)
            try await a.knows("its workload") { $0.workloads.count == 1 }
            var stranger = right
            stranger.tls.authorities = "\(etcd.certificates)/no.pem"
            let b = try FleetNode.started("b", stranger)
            try await b.says("whom it does not trust") { $0.message.contains("not signed by an authority") }
            var nobody = right
            (nobody.tls.certificate, nobody.tls.key) = (nil, nil)
            let c = try FleetNode.started("c", nobody)
            try await c.says("that it is refused") { !$0.isConnected && $0.message.contains(etcd.endpoints[0]) }
            #expect(c.content == ClusterContent())
            var missing = right
            missing.tls.key = "\(etcd.certificates)/none.key"
            #expect(throws: StoreError.self) { try FleetNode("d", missing) }
        }
    }

    @Test(.timeLimit(.minutes(2))) func `with user and password it works, also when the store has forgotten the token`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            try await etcd.control("user", "add", "root:secret").checked()
            try await etcd.control("user", "grant-role", "root", "root").checked()
            try await etcd.control("user", "add", "guest:guest").checked()
            try await etcd.control("auth", "enable").checked()
            var right = try etcd.configuration("ia")
            right.credentials = .init(user: "root", password: "secret")
            let a = try FleetNode.started("a", right)
            try await a.knows("its workload") { $0.workloads.count == 1 }
            var wrong = right
            wrong.credentials = .init(user: "root", password: "guess")
            let b = try FleetNode.started("b", wrong)
            try await b.says("the password is refused") { $0.message.contains("refuses the user or the password") }
            let c = try FleetNode.started("c", etcd.configuration("ic"))
            try await c.says("a password is wanted") { $0.message.contains("wants a user and a password") }
            var guest = right
            guest.credentials = .init(user: "guest", password: "guest")
            let d = try FleetNode.started("d", guest)
            try await d.says("it may not") { $0.message.contains("no permission") }
            // Tokens live in the members' memory.
            await etcd.kill(0)
            try etcd.start(0)
            try await eventually("a policy is taken", within: .seconds(30)) {
                (try? await a.cluster.apply(documents: ["x/y/z": text], author: "test")) != nil
            }
            try await a.knows("the policy") { $0.documents.count == 1 }
            for node in [b, c, d] { #expect(node.content == ClusterContent()) }
        }
    }

    @Test(.timeLimit(.minutes(2))) func `credentials that a store without users does not want do no harm`() async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed)
            var configuration = try etcd.configuration("ia")
            configuration.credentials = .init(user: "root", password: "secret")
            let a = try FleetNode.started("a", configuration)
            try await a.knows("its workload") { $0.workloads.count == 1 }
        }
    }
}
