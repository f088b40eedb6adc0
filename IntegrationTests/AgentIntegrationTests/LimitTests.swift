// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

@Suite(.serialized) struct LimitTests {
    @Test func `events that find no room are counted and shown`() async throws {
        try await withTestBed(subnet: 23) { bed in
            let shop = try await Shop(bed, configuration: "tables: {eventBytes: 4096}")
            let agent = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            // Nobody reads while the agent stands still: 256 events of one CPU fit.
            agent.signal(SIGSTOP)
            try await shop.intruder.namespace.run(
                ["taskset", "-c", "0", "ping", "-q", "-f", "-c", "600", "-W", "1", shop.server.address4],
                within: .seconds(30))
            agent.signal(SIGCONT)
            try await eventually("the loss is reported") {
                try await shop.control.status().events.lostInKernel > 300
            }
            let report = try await shop.control.status()
            let dropped = report.events.drops.filter { $0.reason == "policy-default-deny" }.map(\.packets).reduce(0, +)
            #expect(dropped >= 600, "the packets themselves are all counted")
            let text = try await shop.agent.tool("status").output
            #expect(text.contains("lost"))
        }
    }

    @Test func `a workload that fills its share of the flow table harms itself only`() async throws {
        try await withTestBed(subnet: 23) { bed in
            let shop = try await Shop(bed, configuration: "tables: {conntrackEntries: 1024}")
            _ = try await shop.startAgent()
            try await shop.client.namespace.run(
                [
                    "sh", "-c",
                    "i=0; while [ $i -lt 700 ]; do echo x > /dev/udp/\(shop.server.address4)/$((20000+i)); i=$((i+1)); done",
                ])
            try await shop.client.namespace.run(
                ["bash", "-c", "for i in {20000..21400}; do echo x > /dev/udp/\(shop.server.address4)/$i; done; true"],
                within: .seconds(60))
            try await eventually("the refusal is counted") {
                try await shop.control.status().events.drops.contains {
                    $0.reason == "conntrack-share" && $0.packets > 0
                }
            }
            let flows = try await eventuallyFlows(shop) { $0.reasons = ["conntrack-share"] }
            #expect(flows.contains { $0.verdict == "deny" && $0.source.endpoint == "client" })
            #expect(try await shop.intruder.canPing(shop.host.gateway4), "another workload has room")
            try await eventually("the problem is shown", within: .seconds(15)) {
                try await shop.control.status().problems.contains {
                    $0.subject == "conntrack" && $0.message.contains("client")
                }
            }
        }
    }

    @Test func `a policy that does not fit is refused whole and the old one stays`() async throws {
        try await withTestBed(subnet: 23) { bed in
            let shop = try await Shop(bed, configuration: "tables: {policyEntries: 1024}")
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            // Three peers, 12 000 ports apart from each other: more entries than the smallest table (32 768) holds.
            let ports = (0..<12_000).map { "{port: \(2000 + $0 * 2)}" }.joined(separator: ", ")
            try shop.agent.writePolicy(
                "huge.yaml",
                """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: huge, namespace: shop}
                spec:
                  podSelector: {matchLabels: {app: server}}
                  ingress:
                    - from: [{podSelector: {}}]
                      ports: [\(ports)]

                """)
            try await eventually("the refusal is shown") {
                try await !shop.control.status().problems.isEmpty
            }
            let status = try await shop.control.status()
            #expect(status.condition == .degraded)
            #expect(status.problems.contains { $0.message.contains("32768") })
            #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80))
            #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 80))
        }
    }
}
