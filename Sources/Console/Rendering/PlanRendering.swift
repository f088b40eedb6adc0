// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Whose verdict changes, in words.
enum PlanRendering {
    static func lines(_ report: PlanReport) -> [String] {
        var lines = report.diagnostics.map(\.text)
        lines += report.added.map { "\($0) would be added" } + report.changed.map { "\($0) would be changed" }
        lines += report.removed.map { "\($0) would be removed" }
        lines += changes(report)
        if let refusal = report.refusal { lines.append("it would be refused: \(refusal)") }
        return lines
    }

    /// `shop/web -> shop/db tcp/5432: allow becomes deny by …`, and how many there are besides.
    static func changes(_ report: PlanReport) -> [String] {
        var lines = report.changes.map { change in
            "\(parties(change)) \(change.traffic): \(change.before) becomes \(change.after) \(change.reason)"
                + (change.source.map { " at \($0)" } ?? "")
        }
        if report.total > report.changes.count {
            lines.append("… \(report.total - report.changes.count) more: raise --limit")
        }
        if report.unjudgedPairs > 0 {
            if report.total == 0 { lines.append("no verdict changes between those that were looked at") }
            lines.append(
                "\(report.unjudgedPairs) pairs were not looked at, as there are too many: what changes between them is not "
                    + "known")
        } else if report.total == 0 {
            lines.append("no verdict changes between the workloads of this host and others or the world")
        }
        return lines
    }

    /// `shop/web -> shop/db`; where one end is a stage, `what passes through the host, coming from world,`.
    private static func parties(_ change: PlanReport.Change) -> String {
        guard change.stage != nil else { return "\(change.from) -> \(change.to)" }
        return change.direction == "ingress"
            ? "\(change.to), coming from \(change.from)," : "\(change.from), going to \(change.to),"
    }
}
