// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient
import LinuxHost
import PolicyModel

extension AgentState {
    /// What this node has to say of the cluster's policies; nil: it does not know them whole yet.
    ///
    /// Called often: costs what is wrong, not what there is.
    func policyReport() -> NodePolicyReport? {
        guard let cluster, cluster.hasSnapshot else { return nil }
        var report = NodePolicyReport()
        report.digests = cluster.marks.digests
        report.isAudit = isAudit
        if configuration.isDryRun { report.problem = "the agent runs dry: it brings nothing into force" }
        for (key, fault) in cluster.documents.faults {
            guard let mark = cluster.marks[key] else { continue }
            report.exceptions[key] = .init(
                .refused, generation: mark.generation, message: NodePolicyReport.line(fault.summary))
        }
        func note(_ reference: PolicyReference, _ reason: String) {
            guard let key = cluster.documents.unit(of: reference), report.exceptions[key] == nil,
                let mark = cluster.marks[key]
            else { return }
            report.exceptions[key] = .init(
                .waiting, generation: mark.generation, message: NodePolicyReport.line(reason))
        }
        for reference in unsettled.policies { note(reference, reasonUnsettled) }
        for reference in directory.references { note(reference, "a file of the node has a policy of this name") }
        for reference in applied.policies.keys { note(reference, "a policy of this name was applied on the node") }
        for (reference, end) in timed where end <= Timestamp.secondsNow() { note(reference, "its time is over") }
        report.problems = cluster.status.problems.filter { NodePolicyReport.kinds.contains($0.key) }
            .mapValues(NodePolicyReport.line)
        report.bound()
        return report
    }

    /// Why policies that are understood are not in force.
    private var reasonUnsettled: String {
        let reasons = ["policies", "host documents", "commit"].compactMap { problems[$0]?.message }
        return reasons.isEmpty ? "it is about to come into force" : reasons.joined(separator: "; ")
    }

    /// How many nodes the cluster has, as far as this one knows.
    var clusterNodeCount: Int { cluster?.nodeKeys.count ?? 0 }
}

extension NodePolicyReport {
    /// Those that are reported on.
    fileprivate static let kinds = Set(ResourceKind.policies.map(\.description))

    /// One line that is not too long.
    static func line(_ text: String) -> String {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard line.utf8.count > messageMax else { return line }
        var end = line.startIndex
        var count = 0
        while end < line.endIndex {
            count += line[end].utf8.count
            if count > messageMax - 3 { break }
            end = line.index(after: end)
        }
        return line[..<end] + "…"
    }
}
