// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import PolicyCompiler
import PolicyModel
import PolicyReading

/// Looks at policy files without an agent.
struct OfflineLint {
    private let files: PolicyFiles
    private let workloads: [LabelSet]
    private let now: Int64

    /// `workloads`: what to judge the policies against; none: only what does not depend on workloads is said.
    init(_ documents: [Result<PolicyDocument, DocumentFault>], workloads: [LabelSet], now: Int64) {
        files = PolicyFiles(documents, linted: false)
        self.workloads = workloads
        self.now = now
    }

    func report() throws -> LintReport {
        let names = files.policies.map(\.reference.text)
        guard !files.hasErrors else {
            return LintReport(
                findings: files.diagnostics.map { .init(policy: nil, diagnostic: DiagnosticRecord($0)) },
                policies: names, workloads: nil)
        }
        var surroundings = LintSurroundings(now: now)
        var compiled: [RuleDiagnostic] = []
        if !workloads.isEmpty {
            surroundings.workloads = workloads.map(ImaginedWorkload.init(labels:)).map { one in
                let belongings = one.belongings(by: files.policies)
                return .init(
                    name: one.name, side: ExplainedSide(labels: belongings.labels, namedPorts: belongings.ports))
            }
            var compilation = try OfflineCompilation(
                for: [files.policies], workloads: workloads, imaginesHosts: false)
            compiled = try compilation.diagnostics(files.policies)
        }
        let result = PolicyReview(files.policies, surroundings).run(reading: files.diagnostics, compiled: compiled)
        return LintReport(
            findings: result.findings.map { finding in
                .init(
                    policy: finding.policy?.text, diagnostic: DiagnosticRecord(finding.diagnostic),
                    exemption: finding.exemption)
            }, policies: names, workloads: surroundings.workloads?.count, unjudgedRules: result.unjudgedRules)
    }
}
