// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// Hosts of a fleet by their own addresses: real agents, kernel, traffic and etcd.
@Suite(.serialized) struct FleetHostTests {
    private static let nodesOnly = """
        apiVersion: cilium.io/v2
        kind: CiliumClusterwideNetworkPolicy
        metadata: {name: nodes}
        spec: {endpointSelector: {matchLabels: {app: server}}, ingress: [{fromEntities: [remote-node]}]}
        """

    @Test(.timeLimit(.minutes(4)))
    func `another host is a node to rules inside the named prefixes, until it is gone, and nobody else is`()
        async throws
    {
        try await withTestBed(subnet: 94) { bed in
            let shared = "10.\(bed.byte).250"
            let yard = try await FleetYard(
                bed, nodes: ["a", "b", "c"],
                configuration: "\(FleetField.configuration)\n  hostNetworks: [\(shared).1/32, \(shared).2/32]")
            let other = yard.field.nodes[2]
            func expect(_ hosts: Set<String>, _ moment: String, within limit: Duration = .seconds(30)) async throws {
                for node in [yard.b, other] {
                    try await eventually("\(moment): \(node.name) gets in: \(hosts.contains(node.name))", within: limit)
                    {
                        let call = ["nc", "-z", "-w", "1", yard.server.address4, "80"]
                        let isIn = try await node.host.namespace.run(call, within: .seconds(5)).status == 0
                        return isIn == hosts.contains(node.name)
                    }
                }
            }
            _ = try await yard.a.start()
            try await expect(["b", "c"], "without a policy")
            try await yard.a.agent.tool("policy", "apply", "-f", "-", input: Self.nodesOnly).checked()
            try await expect([], "nobody told of itself")
            let agent = try await yard.b.start()
            _ = try await other.start()
            try await expect(["b"], "both told of themselves")
            // Somebody else says that the third is a host of the fleet.
            let claim =
                #"{"version":1,"instance":"x","agent":"x","since":"x","complete":true,"addresses":["\#(shared).3"]}"#
            try await yard.field.etcd.control("put", "/bulkhead/v1/nodes/thief", claim).checked()
            try await yard.a.says("a claim is ignored") { report in
                report.problems.contains { $0.message.contains("\(shared).3: in none of `cluster.hostNetworks`") }
            }
            try await expect(["b"], "an address outside of the prefixes was told")
            kill(agent.pid, SIGKILL)
            _ = try await agent.waitForExit(within: .seconds(20))
            try await expect([], "lease and grace of the host are over", within: .seconds(60))
            _ = try await yard.b.start()
            try await expect(["b"], "it is back")
        }
    }
}
