// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

@Suite(.serialized) struct RestartTests {
    /// What must hold whether the agent lives or not.
    private func expectEnforced(_ shop: Shop) async throws {
        for address in [shop.server.address4, shop.server.address6] {
            #expect(try await shop.client.canConnect(to: address, port: 80))
            #expect(try await !shop.client.canConnect(to: address, port: 81))
            #expect(try await !shop.intruder.canConnect(to: address, port: 80))
        }
    }

    @Test func `enforcement outlives a killed agent, and the next one adopts it`() async throws {
        try await withTestBed(subnet: 21) { bed in
            let shop = try await Shop(bed)
            let first = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let before = try await shop.control.endpoints().map { [$0.name: $0.identity] }
            await first.kill()
            try await expectEnforced(shop)
            _ = try await shop.startAgent()
            try await expectEnforced(shop)
            let after = try await shop.control.endpoints().map { [$0.name: $0.identity] }
            #expect(before == after)
            // What happened while no agent looked is told by the next one.
            let denied = try await eventuallyFlows(shop) { $0.verdicts = ["deny"] }
            #expect(denied.contains { $0.source.endpoint == "intruder" })
        }
    }

    @Test func `an agent that is asked to end leaves enforcement in place`() async throws {
        try await withTestBed(subnet: 21) { bed in
            let shop = try await Shop(bed)
            let agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            #expect(await agent.stop() == 0)
            try await expectEnforced(shop)
        }
    }

    @Test func `an agent killed at random moments of a change comes back whole`() async throws {
        try await withTestBed(subnet: 21) { bed in
            let shop = try await Shop(bed)
            var generator = SeededGenerator(state: 0x5eed)
            var agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            for round in 0..<8 {
                let isOpen = round % 2 == 0
                try shop.agent.writePolicy("extra.yaml", Self.intruderToo(isOpen))
                try await Task.sleep(for: .microseconds(Int.random(in: 0...60_000, using: &generator)))
                await agent.kill()
                // Whichever of the two policies is in force, none of their parts is missing.
                #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80))
                #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 81))
                agent = try await shop.startAgent()
                try await eventually("round \(round): the newest policy is in force") {
                    try await shop.intruder.canConnect(to: shop.server.address6, port: 80) == isOpen
                }
            }
            #expect(try await shop.control.status().problems.isEmpty)
        }
    }

    private static func intruderToo(_ isOpen: Bool) -> String {
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: extra, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: server}}
          policyTypes: [Ingress]
          ingress:
            - from: [{podSelector: {matchLabels: {app: \(isOpen ? "intruder" : "nobody")}}}]
              ports: [{port: 80}]

        """
    }

    @Test func `detach leaves the host as it was`() async throws {
        try await withTestBed(subnet: 21) { bed in
            let shop = try await Shop(bed)
            let agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            await agent.kill()
            let result = try await shop.host.namespace.run(
                [TestAgent.product("bulkhead"), "detach", "--bpffs", shop.agent.pinDirectory, "-o", "json"],
                environment: ["BULKHEAD_SOCKET": shop.agent.socketPath])
            #expect(result.status == 0, "\(result.output)\(result.errors)")
            #expect(try APICoding.decode(DetachReport.self, from: Array(result.output.utf8)).interfaces == 3)
            #expect(try await shop.intruder.canConnect(to: shop.server.address4, port: 81))
            let programs = try await shop.host.namespace.run(["bpftool", "net", "show"])
            #expect(!programs.output.contains("tc_to_endpoint"))
            let pins = try await bed.run(["find", shop.agent.pinDirectory, "-type", "f"])
            #expect(pins.text.isEmpty)
        }
    }
}

/// A small generator with a fixed seed, so that a failing run can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
