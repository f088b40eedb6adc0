// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

@Suite(.serialized) struct StatusTests {
    private static let features: Set = [
        "capabilities", "bpf-file-system", "ring-buffer", "memory-mapped-arrays", "compiled-programs", "tcx",
        "membarrier", "request-sockets",
    ]

    @Test func `a filter of observe that cannot be meant is wrong usage`() async throws {
        try await withTestBed(subnet: 24) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            for filter in [["--cidr", "10.0.0.1/8"], ["--label", ""], ["--port", "http"], ["--reason", "mood"]] {
                let result = try await shop.agent.tool("observe", filter[0], filter[1])
                #expect(result.status == 2 && result.errors.contains("\"\(filter[1])\""), "\(result.errors)")
            }
            let typed = try await shop.agent.tool("endpoint", "get", "no\nsuch\u{1b}thing")
            #expect(typed.status == 1 && typed.errors.split(separator: "\n").count == 1, "\(typed.errors)")
        }
    }

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
            // Each connection is tracked at both of its ends; counting gets a twentieth of the time at the most.
            try await eventually("the flows are counted", within: .seconds(3)) {
                let after = try await shop.control.status().state
                return after.conntrackEntries >= before + 8 && after.conntrackAgeSeconds < 1
            }
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
            #expect(same.status == 0 && same.output.hasSuffix("no difference\n"), "\(same.output)")
            let stray = Shop.clientOnly.replacing("app: server", with: "app: nobody")
            let report = try await shop.control.validatePolicies(PolicyDocument(name: "s", text: Array(stray.utf8)))
            #expect(report.isValid && report.diagnostics.contains { $0.code == "BH2101" && $0.line > 0 })
        }
    }

    @Test func `who may not open the socket is told so, and a reader that has gone is no failure`() async throws {
        try await withTestBed(subnet: 29) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            let tool = TestAgent.product("bulkhead")
            let environment = ["BULKHEAD_SOCKET": shop.agent.socketPath]
            let stranger = try await bed.run(
                ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", tool, "status"],
                environment: environment)
            #expect(stranger.status == 4 && stranger.errors.contains("no right to open"), "\(stranger.errors)")
            // Everything is written to a pipe that nobody reads any more.
            for command in ["status", "completions zsh", "--help", "map dump metrics -o json"] {
                let script = "(sleep 0.3; exec \(tool) \(command)) | true; exit ${PIPESTATUS[0]}"
                let result = try await bed.run(["bash", "-c", script], environment: environment)
                #expect(result.status == 0 && result.errors.isEmpty, "\(command): \(result.status) \(result.errors)")
            }
        }
    }
}
