// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Documents about nodes that come and change under a living agent.
@Suite(.serialized) struct NodeTests {
    /// Storage nodes reach the server; the client reaches storage and spare nodes.
    private static let policies = """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: server, namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: server}}
          ingress:
            - fromNodes: [{matchLabels: {role: storage}}]
              toPorts: [{ports: [{port: "80", protocol: TCP}]}]
        ---
        \(Shop.client(reaching: "toNodes: [{matchExpressions: [{key: role, operator: In, values: [storage, spare]}]}]"))
        """

    /// No workload reaches storage nodes, whatever else is open.
    private static let admin = """
        apiVersion: policy.networking.k8s.io/v1alpha1
        kind: AdminNetworkPolicy
        metadata: {name: storage}
        spec:
          priority: 10
          subject: {namespaces: {}}
          egress:
            - {name: storage, action: Deny, to: [{nodes: {matchLabels: {role: storage}}}]}

        """

    private static func node(_ role: String, _ addresses: [String]) -> String {
        let listed = addresses.map { "{type: InternalIP, address: \"\($0)\"}" }.joined(separator: ", ")
        return """
            apiVersion: v1
            kind: Node
            metadata: {name: n9, labels: {role: \(role)}}
            status: {addresses: [\(listed)]}

            """
    }

    /// What is open between the workloads and a machine that no source of workloads names.
    private struct Neighbour {
        let shop: Shop
        let machine: TestWorkload

        var addresses: [String] { [machine.address4, machine.address6] }

        init(_ bed: TestBed) async throws {
            shop = try await Shop(bed)
            machine = try await shop.host.addWorkload("node", number: 9)
            try machine.startEchoes()
            try await eventually("the node listens") {
                try await shop.client.canConnect(to: machine.address6, port: 80)
            }
        }

        func apply(_ text: String, _ flags: String...) async throws -> String {
            try await shop.agent.tool(["policy", "apply"] + flags + ["-f", "-"], input: text).checked().output
        }

        func expect(in isReached: Bool, out isReachable: Bool, _ moment: String) async throws {
            let inward = Probe.all([.tcp(80)], [shop.server.address4, shop.server.address6])
            let outward = Probe.all([.tcp(80)], addresses)
            let reached = try await machine.namespace.reach(inward, expecting: isReached ? inward : [])
            let reachable = try await shop.client.namespace.reach(outward, expecting: isReachable ? outward : [])
            #expect(reached == (isReached ? inward : []), "\(moment): the node reaches \(reached)")
            #expect(reachable == (isReachable ? outward : []), "\(moment): the client reaches \(reachable)")
        }
    }

    @Test func `a node's labels and addresses decide from the moment in which its document is applied`() async throws {
        try await withTestBed(subnet: 88) { bed in
            let field = try await Neighbour(bed)
            _ = try await field.shop.startAgent()
            _ = try await field.apply(Self.policies)
            try await field.expect(in: false, out: false, "nobody has described the node")

            let storage = Self.node("storage", field.addresses)
            let plan = try await field.apply(storage, "--plan")
            for address in ["\(field.machine.address4)/32", "\(field.machine.address6)/128"] {
                for line in ["world \(address) -> shop/server tcp/80", "shop/client -> world \(address) tcp/80"] {
                    #expect(plan.contains("\(line): deny becomes allow"), "\(plan)")
                }
            }
            try await field.expect(in: false, out: false, "a plan changes nothing")
            _ = try await field.apply(storage)
            try await field.expect(in: true, out: true, "a storage node")

            let spare = Self.node("spare", field.addresses)
            let relabelled = try await field.apply(spare, "--plan")
            #expect(
                relabelled.contains("world \(field.machine.address4)/32 -> shop/server tcp/80: allow becomes deny"),
                "\(relabelled)")
            #expect(!relabelled.contains("shop/client"), "\(relabelled)")
            _ = try await field.apply(spare)
            try await field.expect(in: false, out: true, "a spare node")

            // Another machine's addresses, in a file of the directory this time.
            _ = try await field.shop.agent.tool("policy", "delete", "Node/n9").checked()
            try await field.expect(in: false, out: false, "the document is gone")
            try await field.shop.enforce(Self.node("storage", ["10.\(bed.byte).0.200"]), as: "node.yaml")
            try await field.expect(in: false, out: false, "the document speaks of another address")
            try await field.shop.enforce(storage, as: "node.yaml")
            try await field.expect(in: true, out: true, "the address is the node's again")
        }
    }

    @Test func `an admin policy about nodes follows their documents, and a plan tells of it`() async throws {
        try await withTestBed(subnet: 88) { bed in
            let field = try await Neighbour(bed)
            _ = try await field.shop.startAgent()
            _ = try await field.apply(Self.policies + "---\n" + Self.node("spare", field.addresses))
            _ = try await field.apply(Self.admin)
            try await field.expect(in: false, out: true, "the admin policy is about storage nodes")

            let storage = Self.node("storage", field.addresses)
            let plan = try await field.apply(storage, "--plan")
            let address = "\(field.machine.address4)/32"
            #expect(plan.contains("shop/client -> world \(address) tcp/80: allow becomes deny"), "\(plan)")
            #expect(plan.contains("AdminNetworkPolicy/storage"), "\(plan)")
            #expect(plan.contains("world \(address) -> shop/server tcp/80: deny becomes allow"), "\(plan)")
            _ = try await field.apply(storage)
            try await field.expect(in: true, out: false, "a storage node under the admin policy")
            _ = try await field.shop.agent.tool("policy", "delete", "AdminNetworkPolicy/storage").checked()
            try await field.expect(in: true, out: true, "the admin policy is gone")
        }
    }
}
