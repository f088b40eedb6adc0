// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient

/// The nodes that report on policies, and who of them was heard when.
struct NodeRoll: Sendable {
    private(set) var reports: [String: NodePolicyReport] = [:]
    private(set) var silent: Set<String> = []
    private var heardAt: [String: Duration] = [:]
    /// What nodes say of single policies, by key of the document, then by node.
    private(set) var exceptions: [String: [String: NodePolicyReport.Exception]] = [:]

    var count: Int { reports.count }

    /// Why nothing of a kind is in force on a node, for all it has; nil: it may be.
    func problem(of node: String, _ kind: String) -> String? {
        guard let report = reports[node] else { return nil }
        if !report.problem.isEmpty { return report.problem }
        if let problem = report.problems[kind] { return problem }
        return report.omitted > 0 ? "\(report.omitted) more policies are not in force there than it can name" : nil
    }

    /// A node told something; nil: it is gone.
    ///
    /// Returns the keys of documents of which it says something else than before.
    mutating func set(_ node: String, _ report: NodePolicyReport?, now: Duration) -> Set<String> {
        let former = reports[node]?.exceptions ?? [:]
        let next = report?.exceptions ?? [:]
        var touched: Set<String> = []
        for (key, exception) in next where former[key] != exception {
            exceptions[key, default: [:]][node] = exception
            touched.insert(key)
        }
        for key in former.keys where next[key] == nil {
            exceptions[key]?[node] = nil
            if exceptions[key]?.isEmpty == true { exceptions[key] = nil }
            touched.insert(key)
        }
        reports[node] = report
        heardAt[node] = report == nil ? nil : now
        silent.remove(node)
        return touched
    }

    /// Notes who was not heard for so long; returns those who were before.
    mutating func noteSilence(of limit: Duration, now: Duration) -> [String] {
        var new: [String] = []
        for (node, at) in heardAt where now - at > limit && !silent.contains(node) { new.append(node) }
        silent.formUnion(new)
        return new
    }
}
