// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

@Suite(.serialized) struct BadInputTests {
    /// Each is written over a policy in force; none may change what is enforced, each is told with its place.
    private static let documents: [(name: String, text: String, place: String)] = [
        ("malformed", "kind: [unclosed\nmetadata: {", "policy.yaml:"),
        ("unknown kind", "apiVersion: v1\nkind: NetworkPolice\nmetadata: {name: x}\n", "policy.yaml:2:"),
        (
            "unknown field",
            Shop.clientOnly.replacing("podSelector: {matchLabels: {app: server}}", with: "podSelektor: {}"),
            "policy.yaml:5:"
        ),
        (
            "wrong prefix",
            Shop.clientOnly.replacing(
                "{podSelector: {matchLabels: {app: client}}}", with: "{ipBlock: {cidr: 10.0.0.300/24}}"),
            "policy.yaml:8:"
        ),
        ("half-written", String(Shop.clientOnly.prefix(60)), "policy.yaml"),
    ]

    @Test func `bad documents leave the old state in force and are told with file, line and column`() async throws {
        try await withTestBed(subnet: 24) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            for (name, text, place) in Self.documents {
                try await shop.enforce(Shop.clientOnly)
                try shop.agent.writePolicy("policy.yaml", text)
                let problem = try await eventuallySome("\(name) is reported") {
                    try await shop.control.status().problems.first
                }
                #expect(problem.message.contains(place), "\(name): \(problem.message)")
                #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80), "\(name)")
                #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 80), "\(name)")
                try shop.agent.writePolicy("policy.yaml", Shop.udpOnly(7001))
                try await eventually("\(name) mended") { try await shop.control.status().problems.isEmpty }
            }
        }
    }

    @Test func `a broken workloads file keeps the workloads`() async throws {
        try await withTestBed(subnet: 24) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            try writeFile(shop.agent.workloadsPath, "workloads:\n  - nam: x\n")
            let problem = try await eventuallySome("it is reported") {
                try await shop.control.status().problems.first
            }
            #expect(problem.message.contains("workloads.yaml:2:"))
            #expect(try await shop.control.endpoints().count == 3)
            #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 80))
        }
    }

    @Test func `a second agent on the same state refuses to start`() async throws {
        try await withTestBed(subnet: 24) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let second = try shop.agent.start()
            let status = try await second.waitForExit(within: .seconds(5))
            #expect(status != nil && status != 0)
            #expect(second.errors.contains("lock") || second.errors.contains("running"))
        }
    }

    @Test func `explain tells the verdict and the rule, for running and imagined workloads`() async throws {
        try await withTestBed(subnet: 24) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let allowed = try await shop.agent.tool("explain", "--from", "client", "--to", "server", "--port", "80")
            #expect(allowed.status == 0 && allowed.output.contains("NetworkPolicy/shop/server"))
            let denied = try await shop.agent.tool(
                "explain", "--from", "k8s:app=ghost,k8s:io.kubernetes.pod.namespace=shop", "--to", "server", "--port",
                "80")
            #expect(denied.status != 0 && denied.output.contains("deny"))
        }
    }
}
