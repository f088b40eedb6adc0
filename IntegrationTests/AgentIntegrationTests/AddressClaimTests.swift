// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// A workload cannot get at another's identity, or out of its own network, by giving itself addresses.
@Suite(.serialized) struct AddressClaimTests {
    private static let second = Duration.seconds(1)

    @Test func `another's address, the host's and a stranger's are refused`() async throws {
        try await withTestBed(subnet: 81) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly + "---\n" + Self.fromOutside)
            let agent = shop.agent
            try await shop.steal()
            try await within(Self.second, "all claims are told") {
                try await shop.problem("intruder").contains { $0.contains("refused address") }
            }
            try await shop.expectRefused()
            // Both claimants are named.
            let text = try await shop.problem("intruder").joined()
            #expect(text.contains("it is client's") && text.contains("the host's own") && text.contains("and 3 more"))
            #expect(try await agent.tool("status").output.contains("client's"))
            // The owner is still the owner, for itself and for others.
            for address in [shop.server.address4, shop.server.address6] {
                #expect(try await shop.client.canConnect(to: address, port: 80))
            }
        }
    }

    @Test func `the first owner keeps an address when the agent starts again`() async throws {
        try await withTestBed(subnet: 81) { bed in
            let shop = try await Shop(bed)
            let agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly + "---\n" + Self.fromOutside)
            await agent.kill()
            try await shop.steal()
            _ = try shop.agent.start()
            try await eventually("the claims are told", within: .seconds(10)) {
                try await shop.problem("intruder").contains { $0.contains("it is client's") }
            }
            try await shop.expectRefused()
            // Given up by its owner it is free.
            try await bed.ipBatch(shop.client.namespace, ["address del \(shop.client.address4)/16 dev eth0"])
            try await within(Self.second, "an address given up changes hands") {
                try await shop.endpoint("intruder")?.addresses.contains(shop.client.address4) == true
            }
        }
    }

    @Test func `an address that the file declares goes before one that was read`() async throws {
        try await withTestBed(subnet: 81) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let wanted = ["10.\(bed.byte).7.7", "fdbb:\(bed.subnet)::7:7"]
            try await bed.ipBatch(
                shop.intruder.namespace,
                ["address add \(wanted[0])/16 dev eth0", "address add \(wanted[1])/64 dev eth0 nodad"])
            try await within(Self.second, "free addresses are taken") {
                try await Set(shop.endpoint("intruder")?.addresses ?? []).isSuperset(of: wanted)
            }
            try shop.agent.writeWorkloads(
                text: """
                    workloads:
                      - {name: intruder, namespace: shop, labels: {app: intruder}, netns: \(shop.intruder.namespace.path)}
                      - name: client
                        namespace: shop
                        labels: {app: client}
                        netns: \(shop.client.namespace.path)
                        addresses: ["\(wanted[0])", "\(wanted[1])"]

                    """)
            try await within(Self.second, "declared addresses are the client's") {
                try await Set(shop.endpoint("client")?.addresses ?? []).isSuperset(of: wanted)
            }
            #expect(try await Set(shop.endpoint("intruder")?.addresses ?? []).isDisjoint(with: wanted))
        }
    }

    @Test func `a host without addresses on the bridge leaves them to the workloads, but each to one`() async throws {
        try await withTestBed(subnet: 81) { bed in
            let shop = try await Shop(bed)
            try await bed.ipBatch(
                shop.host.namespace,
                [
                    "address del \(shop.host.gateway4)/16 dev br0", "address del \(shop.host.gateway6)/64 dev br0",
                ])
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            for address in [shop.server.address4, shop.server.address6] {
                #expect(try await shop.client.canConnect(to: address, port: 80))
            }
            try await shop.steal()
            try await within(Self.second, "the claim is told") {
                try await shop.problem("intruder").contains { $0.contains("it is client's") }
            }
            #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 80))
        }
    }

    /// Lets in a network outside, and so whoever passes for it.
    private static let fromOutside = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: outside, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: server}}
          policyTypes: [Ingress]
          ingress:
            - from: [{ipBlock: {cidr: 203.0.113.0/24}}, {ipBlock: {cidr: "2001:db8::/32"}}]
              ports: [{port: 80}]

        """
}

extension Shop {
    private static let stranger4 = "203.0.113.5"
    private static let stranger6 = "2001:db8::5"

    fileprivate func problem(_ name: String) async throws -> [String] {
        try await control.status().problems.filter { $0.subject == "endpoint \(name)" }.map(\.message)
    }

    private var stolen: [String] {
        [client.address4, client.address6, host.gateway4, host.gateway6, Self.stranger4, Self.stranger6]
    }

    /// The intruder gives itself addresses that are not its own.
    fileprivate func steal() async throws {
        try await host.bed.ipBatch(
            intruder.namespace,
            stolen.map { $0.contains(":") ? "address add \($0)/128 dev eth0 nodad" : "address add \($0)/32 dev eth0" })
        // The server knows the way back: an answer would arrive.
        try await host.bed.ipBatch(
            server.namespace,
            [
                "route add \(Self.stranger4)/32 via \(intruder.address4)",
                "route add \(Self.stranger6)/128 via \(intruder.address6)",
            ])
    }

    /// Fails if one of the stolen addresses is of use.
    fileprivate func expectRefused() async throws {
        let own = try await endpoint("intruder")?.addresses ?? []
        #expect(Set(own).isDisjoint(with: stolen) && own.contains(intruder.address4), "\(own)")
        for source in stolen {
            let target = server.address(like: source)
            let answer = try await intruder.namespace.run(
                ["nc", "-z", "-w", "1", "-s", source, target, "80"], within: .seconds(5))
            #expect(answer.status != 0, "from \(source)")
        }
    }
}
