// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

@Suite(.serialized) struct StatusTests {
    private static let features: Set = [
        "capabilities", "bpf-file-system", "ring-buffer", "memory-mapped-arrays", "compiled-programs", "tcx",
        "membarrier",
    ]

    @Test func `status answers for every kernel feature and counts the flows of now`() async throws {
        try await withTestBed(subnet: 29) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let report = try await shop.control.status()
            #expect(Set(report.kernel.available + report.kernel.missing.map(\.feature)) == Self.features)
            #expect(report.kernel.missing.allSatisfy { !$0.reason.isEmpty && !$0.cost.isEmpty })
            let text = try await shop.agent.tool("status").output
            for feature in Self.features { #expect(text.contains(feature)) }
            let before = report.state.conntrackEntries
            // Well under the interval of the sweep.
            for port in [80, 81, 80, 81] {
                #expect(try await shop.client.canConnect(to: shop.server.address4, port: port))
            }
            let after = try await shop.control.status().state
            // Each connection is tracked at both of its ends.
            #expect(after.conntrackEntries >= before + 8 && after.conntrackAgeSeconds < 1)
        }
    }

    @Test func `policies are compiled, compared and checked by the agent where it runs`() async throws {
        try await withTestBed(subnet: 29) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let compiled = try await shop.agent.tool("policy", "compile", "-f", "-", input: Shop.clientOnly)
            #expect(compiled.status == 0 && compiled.output.contains("app=client"), "\(compiled.output)")
            let differs = try await shop.agent.tool("policy", "diff", "-f", "-", input: Shop.clientOnly)
            #expect(differs.status == 1 && differs.output.contains("+ subject"), "\(differs.output)")
            try await shop.enforce(Shop.clientOnly)
            let same = try await shop.agent.tool("policy", "diff", "-f", "-", input: Shop.clientOnly)
            #expect(same.status == 0 && same.output == "no difference\n", "\(same.output)")
            let stray = Shop.clientOnly.replacing("app: server", with: "app: nobody")
            let report = try await shop.control.validatePolicies(PolicyDocument(name: "s", text: Array(stray.utf8)))
            #expect(report.isValid && report.diagnostics.contains { $0.code == "BH2101" && $0.line > 0 })
        }
    }
}
