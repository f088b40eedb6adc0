// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Who is root inside a workload cannot take its programs off by what it does there.
@Suite(.serialized) struct JailbreakTests {
    private static let second = Duration.seconds(1)

    /// Refuses all that the intruder sends: its own jail.
    private static let locked = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: locked, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: intruder}}
          policyTypes: [Ingress, Egress]

        """

    @Test func `a link moved into a nested namespace stays enforced, also for an agent that starts then`() async throws
    {
        try await withTestBed(subnet: 80) { bed in
            let shop = try await Shop(bed)
            let agent = try await shop.startAgent()
            try await shop.enforce(Self.locked)
            let nested = try await shop.hideLink(ofIntruderIn: bed)
            try await within(Self.second, "the trick is noticed") {
                try await shop.endpoint("intruder")?.problem?.contains("does not lead into it any more") == true
            }
            #expect(try await shop.endpoint("intruder")?.condition == .enforced)
            #expect(try await shop.control.status().problems.contains { $0.subject == "endpoint intruder" })
            try await shop.expectLocked(nested)
            await agent.kill()
            _ = try shop.agent.start()
            try await eventually("the new agent sees it too", within: .seconds(10)) {
                try await shop.endpoint("intruder")?.problem?.contains("does not lead into it any more") == true
            }
            try await shop.expectLocked(nested)
            // Who removes the link gets rid of the program, and of the problem.
            try await shop.host.namespace.shell("ip link del \(shop.intruder.hostInterface)")
            try await within(Self.second, "link removed") {
                try await shop.endpoint("intruder")?.interface.isEmpty == true
            }
        }
    }

    @Test func `a workload whose addresses cannot be read for churn stays enforced`() async throws {
        try await withTestBed(subnet: 80) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Self.locked)
            let churn = try shop.churn(bed)
            // It cannot be told from outside which dump is disturbed: asked for as long as the churn lasts.
            var wasDisturbed = false
            for round in 0..<20 where round < 3 || !wasDisturbed {
                try await shop.expectLocked(shop.intruder.namespace)
                let endpoint = try await shop.endpoint("intruder")
                #expect(endpoint?.condition == .enforced)
                #expect(endpoint?.addresses.contains(shop.intruder.address4) == true)
                wasDisturbed = wasDisturbed || endpoint?.problem != nil
            }
            #expect(wasDisturbed)
            await churn.kill()
            try await eventually("what is left is read", within: .seconds(10)) {
                try await shop.endpoint("intruder")?.problem?.contains("faster") != true
            }
        }
    }

    @Test func `a workload that churns before the agent starts is enforced`() async throws {
        try await withTestBed(subnet: 80) { bed in
            let shop = try await Shop(bed)
            try shop.agent.writePolicy("policy.yaml", Self.locked)
            _ = try shop.churn(bed)
            try await Task.sleep(for: .seconds(1))
            _ = try shop.agent.start()
            try await eventually("the intruder is attached", within: .seconds(10)) {
                try await shop.endpoint("intruder")?.condition == .enforced
            }
            try await shop.expectLocked(shop.intruder.namespace)
        }
    }
}

extension Shop {
    /// The intruder moves its end of the link into a namespace of its own, with the same addresses.
    fileprivate func hideLink(ofIntruderIn bed: TestBed) async throws -> TestNamespace {
        let nested = try await bed.namespace("nest")
        try await bed.ipBatch(intruder.namespace, ["link set eth0 netns \(nested.name)"])
        try await bed.ipBatch(
            nested,
            [
                "link set eth0 up", "address add \(intruder.address4)/16 dev eth0",
                "address add \(intruder.address6)/64 dev eth0 nodad",
            ])
        return nested
    }

    /// Fails if something gets out of the intruder's jail.
    fileprivate func expectLocked(_ place: TestNamespace) async throws {
        for address in [server.address4, server.address6] {
            let answer = try await place.run(["nc", "-z", "-w", "1", address, "80"], within: .seconds(5))
            #expect(answer.status != 0, "the way to \(address) is open")
        }
        #expect(try await client.canConnect(to: server.address4, port: 80), "the server itself does not answer")
    }

    /// 4000 addresses, some of them taken off and put on again without a pause.
    ///
    /// Ends by itself: what the shell started outlives it when it is killed.
    fileprivate func churn(_ bed: TestBed) throws -> SpawnedProcess {
        try intruder.namespace.start([
            "sh", "-c",
            """
            seq 1 4000 | awk '{printf "addr add 10.99.%d.%d/32 dev lo\\n", $1 / 250, $1 % 250}' | ip -force -batch -
            i=0
            while [ $((i += 1)) -le 1000 ]; do
                seq 1 500 | awk '{print "addr del 10.99.0.1/32 dev lo\\naddr add 10.99.0.1/32 dev lo"}'
            done | ip -force -batch -
            """,
        ])
    }
}
