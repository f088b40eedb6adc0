// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Findings of `policy lint` for people.
enum LintRendering {
    /// A line for each finding; closes with what was looked at.
    static func lines(_ report: LintReport) -> [String] {
        let findings = report.findings.map { finding in
            finding.diagnostic.text + (finding.exemption.map { " [meant: \($0)]" } ?? "")
        }
        return findings + [summary(report)]
    }

    private static func summary(_ report: LintReport) -> String {
        let open = report.findings.filter { $0.exemption == nil }
        let counts = ["error", "warning", "note"].compactMap { severity -> String? in
            let count = open.count { $0.diagnostic.severity == severity }
            return count == 0 ? nil : number(count, severity)
        }
        let found = counts.isEmpty ? "no findings" : counts.joined(separator: ", ")
        let unjudged =
            report.unjudgedRules == 0 ? "" : "; the other end of \(number(report.unjudgedRules, "rule")) was not asked"
        let looked = report.workloads.map { "against \(number($0, "workload"))" } ?? "without workloads"
        return "\(found) in \(number(report.policies.count, "policy", "policies")), \(looked)\(unjudged)"
    }

    private static func number(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(count) \(count == 1 ? one : many ?? one + "s")"
    }
}
