// SPDX-License-Identifier: Apache-2.0

import ClusterModel

/// Decides when a node writes its report: on change, not too often, and every now and then although nothing changed.
///
/// Pure; times are since any moment.
struct ReportPacing {
    /// Without a write for this long others take the node to be silent, a few times over.
    static let heartbeat: Duration = .seconds(120)
    /// Kinds that fail for less are none of the cluster's business.
    static let patience: Duration = .seconds(15)
    private static let pauseMax: Duration = .seconds(60)
    /// Reports that all nodes of a cluster write in a second, when a policy changes.
    private static let writesPerSecond = 500

    private var written: (report: NodePolicyReport, at: Duration)?
    private var attemptedAt: Duration?
    private var pause: Duration = .zero
    private var problemsSince: [String: Duration] = [:]

    /// True if the heartbeat is due: what is seldom other is looked at again.
    private(set) var isBeat = true

    /// What to write now; nil: nothing.
    ///
    /// - Parameters:
    ///   - nodes: how many there are in the cluster.
    ///   - spread: from 0 to 1, other on every node, so that not all write at once.
    mutating func due(_ report: NodePolicyReport?, nodes: Int, spread: Double, now: Duration) -> NodePolicyReport? {
        guard var report else { return nil }
        problemsSince = problemsSince.filter { report.problems[$0.key] != nil }
        for kind in report.problems.keys where problemsSince[kind] == nil { problemsSince[kind] = now }
        report.problems = report.problems.filter { now - (problemsSince[$0.key] ?? now) >= ReportPacing.patience }
        if let attemptedAt, now - attemptedAt < max(pause, interval(nodes, spread)) { return nil }
        isBeat = written.map { now - $0.at >= ReportPacing.heartbeat } ?? true
        guard isBeat || written?.report != report else { return nil }
        attemptedAt = now
        return report
    }

    /// It was written, as far as can be told.
    mutating func settle(_ report: NodePolicyReport, now: Duration) {
        written = (report, now)
        pause = .zero
    }

    /// It was not: tried again, less and less often.
    mutating func fail() { pause = min(max(pause * 2, .seconds(1)), ReportPacing.pauseMax) }

    private func interval(_ nodes: Int, _ spread: Double) -> Duration {
        let seconds = Double(nodes) / Double(ReportPacing.writesPerSecond)
        return .milliseconds(Int64(max(1000, seconds * 1000 * (0.5 + spread))))
    }
}
