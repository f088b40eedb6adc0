// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import Testing

@testable import AgentCore
@testable import LinuxHost

/// What the reader said of documents when they came is said again of what is in force.
@Suite struct LintInForceTests {
    private let scratch: Scratch
    private let state: AgentState

    init() async throws {
        scratch = try Scratch()
        state = try await AgentState.adopted(in: scratch.path, InMemoryDatapath(), awaiting: [])
    }

    private func policy(_ name: String, _ annotations: String = "") -> String {
        """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: \(name), namespace: shop, annotations: {\(annotations)}}
        spec:
          selector: app == 'web'
          ingress:
            - {action: Log}
            - {action: Allow}

        """
    }

    private func findings(exempted: Bool = false) async throws -> [String] {
        try await state.lintPolicies(LintRequest(documents: [])).findings
            .filter { ["BH2010", "BH2121"].contains($0.diagnostic.code) && ($0.exemption != nil) == exempted }
            .map { "\($0.policy ?? "") \($0.diagnostic.file.split(separator: "/").last ?? ""):\($0.diagnostic.line)" }
    }

    private func apply(_ name: String, _ text: String) async throws {
        _ = try await state.applyPolicies(
            PolicyDocument(name: name, text: Array(text.utf8)), options: ChangeOptions())
    }

    private func watch(_ name: String, _ text: String) async throws {
        let folder = await state.configuration.policyDirectory
        try AtomicFile.write(Array(text.utf8), to: "\(folder)/\(name)")
        await state.update(policyDirectory: DirectoryChange(names: [name]))
    }

    @Test func `of what was applied, at the lines of the file it came from`() async throws {
        try await apply("p.yaml", policy("a") + "---\n" + policy("b"))
        #expect(
            try await findings() == ["CalicoNetworkPolicy/shop/a p.yaml:7", "CalicoNetworkPolicy/shop/b p.yaml:16"])
        try await apply("q.yaml", policy("b").replacing("    - {action: Log}\n", with: ""))
        #expect(try await findings() == ["CalicoNetworkPolicy/shop/a p.yaml:7"])
    }

    @Test func `of a list each by itself`() async throws {
        let items = ["a", "b"].map { name in
            "- " + policy(name).split(separator: "\n").joined(separator: "\n  ") + "\n"
        }
        try await apply("l.yaml", "apiVersion: v1\nkind: List\nitems:\n" + items.joined())
        let found = try await findings()
        #expect(
            found == ["CalicoNetworkPolicy/shop/a l.yaml:10", "CalicoNetworkPolicy/shop/b l.yaml:18"])
        try await apply("q.yaml", policy("b").replacing("    - {action: Log}\n", with: ""))
        #expect(try await findings() == ["CalicoNetworkPolicy/shop/a l.yaml:10"])
    }

    @Test func `of files of the directory, as long as they hold what is in force`() async throws {
        try await watch("w.yaml", policy("a"))
        #expect(try await findings() == ["CalicoNetworkPolicy/shop/a w.yaml:7"])
        try await watch("w.yaml", "# wrong: what it held stays in force\nkind: x\n" + policy("a"))
        #expect(try await findings() == [])
    }

    @Test func `nothing is said of exemptions in a file that cannot be read again`() async throws {
        let text = policy("a", #"bulkhead.dev/lintIgnore: "BH2010: an old habit""#)
        try await watch("w.yaml", text)
        #expect(try await findings(exempted: true) == ["CalicoNetworkPolicy/shop/a w.yaml:7"])
        try await watch("w.yaml", text + "  broken: [\n")
        #expect(try await findings() == [])
        #expect(try await findings(exempted: true) == [])
        #expect(try await state.policies().map(\.name) == ["a"], "its old content is in force")
    }

    @Test func `and what its author means so is found, and exempt`() async throws {
        try await apply("p.yaml", policy("a", #"bulkhead.dev/lintIgnore: "BH2010: an old habit""#))
        #expect(try await findings() == [], "no exemption without a finding")
        #expect(try await findings(exempted: true) == ["CalicoNetworkPolicy/shop/a p.yaml:7"])
    }
}
