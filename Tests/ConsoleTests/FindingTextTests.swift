// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import PolicyModel
import PolicyReading
import Testing

@testable import Console

/// Scripts match the codes and people read the lines: each is shown by a document that has it.
@Suite struct FindingTextTests {
    /// What only an agent's workloads show, or more rules than anybody has: RuleCompilerTests, RuleRegistryTests and
    /// PolicyReviewTests have them.
    private static let ofAgents: Set<DiagnosticCode> = [
        .namedPortConflicting, .prefixMissesWorkloads, .unnumbered, .declaredPortClosed,
    ]

    @Test(arguments: FindingCase.all) func `a finding is told with its place, its cause and its remedy`(
        finding: FindingCase
    ) throws {
        let document = PolicyDocument(name: "policy.yaml", text: Array(finding.text.utf8))
        let workloads = try finding.workloads.map(ImaginationOptions.labels)
        let report = try OfflineLint([.success(document)], workloads: workloads, now: 1_800_000_000).report()
        let lines = LintRendering.lines(report).filter { $0.contains("[\(finding.code)]") }
        #expect(lines == [finding.line])
    }

    @Test func `every finding has a document that shows it`() {
        let findings = DiagnosticCode.all.filter { $0.description >= "BH2" && !Self.ofAgents.contains($0) }
        let shown = Set(FindingCase.all.map(\.code))
        #expect(findings.map(\.description).filter { !shown.contains($0) } == [])
    }
}
