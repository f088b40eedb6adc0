// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Answers about policy changes and verdicts for people.
enum PolicyRendering {
    static func lines(_ report: PolicyChangeReport) -> [String] {
        var lines = report.diagnostics.map(\.text)
        let verb = report.inForce ? "" : "would be "
        lines += report.added.map { "\($0) \(verb)added" }
        lines += report.changed.map { "\($0) \(verb)changed" }
        lines += report.removed.map { "\($0) \(verb)removed" }
        let entries =
            "\(report.entriesAdded) entries added, \(report.entriesChanged) changed, \(report.entriesRemoved) removed"
        lines.append(report.notice ?? outcome(report, entries))
        if let waiting = report.confirmation { lines.append(HistoryRendering.waiting(waiting)) }
        return lines
    }

    private static func outcome(_ report: PolicyChangeReport, _ entries: String) -> String {
        guard report.inForce else { return "dry run, nothing was changed: \(entries)" }
        let revision = report.revision.map { ", revision \($0)" } ?? ""
        let fleet = report.storeRevision.map { "; the fleet's since the store's revision \($0)" } ?? ""
        return "in force as generation \(report.generation)\(revision): \(entries)\(fleet)"
    }

    static func lines(_ report: ValidationReport) -> [String] {
        report.diagnostics.map(\.text) + report.policies.map { "\($0) is valid" }
            + (report.isValid ? [] : ["not valid: nothing of it would be applied"])
    }

    static func lines(_ report: CompileReport) -> [String] {
        report.diagnostics.map(\.text) + unimagined(report.unimagined) + report.legend.map { "# \($0)" }
            + (report.lines.isEmpty ? ["no entries: everything is open"] : report.lines)
    }

    static func lines(_ report: DiffReport) -> [String] {
        let same = report.untold.map { untold in
            "these policies differ, but nobody imagined here is concerned: " + untold.joined(separator: ", ")
        }
        return report.diagnostics.map(\.text) + unimagined(report.unimagined)
            + (report.plan.map { PlanRendering.changes($0) + [""] } ?? [])
            + report.legend.map { "# \($0)" } + (report.lines.isEmpty ? [same ?? "no difference"] : report.lines)
    }

    private static func unimagined(_ selectors: [String]?) -> [String] {
        (selectors ?? []).map { "nobody could be imagined for \($0): what is said of such is not told" }
    }

    static func lines(_ report: ExplainReport) -> [String] {
        var lines = ["\(report.verdict)  \(report.traffic)  \(side(report.from)) -> \(side(report.to))"]
        if report.to.kind == "name", report.to.address == nil {
            lines.append(
                "\(report.from.text) was told no address of \(report.to.text): judged is one that has this name")
        }
        if let pair = pair(report.from.address, report.to.address) {
            let others = report.agreeing == 1 ? "1 other pair" : "\(report.agreeing) other pairs"
            lines.append("for \(pair)" + (report.agreeing > 0 ? "; \(others) of addresses: the same" : ""))
        }
        for step in report.steps { lines += [""] + self.lines(step) }
        for variant in report.differing {
            lines += ["", "but \(variant.verdict)  for \(pair(variant.fromAddress, variant.toAddress) ?? "others")"]
            for step in variant.steps { lines += [""] + self.lines(step) }
        }
        return lines
    }

    private static func pair(_ from: String?, _ to: String?) -> String? {
        from == nil && to == nil ? nil : "\(from ?? "any address") -> \(to ?? "any address")"
    }

    private static func lines(_ step: ExplainedStep) -> [String] {
        var lines = ["\(step.title): \(step.verdict)" + (step.reason.map { " (\($0))" } ?? "")]
        let tier = step.tier.flatMap { $0 == "default" ? nil : " (\($0) tier)" } ?? ""
        lines.append("  by \(step.cause)" + (step.source.map { " at \($0)" } ?? "") + tier)
        if let passers = step.passedBy { lines.append("  passed on by \(passers.joined(separator: ", "))") }
        if !step.matched.isEmpty { lines += ["  also matched:"] + step.matched.map { "    \(rule($0))" } }
        if !step.unmatched.isEmpty { lines += ["  did not match:"] + step.unmatched.map { "    \(rule($0))" } }
        if let hint = step.hint { lines.append("  \(hint)") }
        return lines
    }

    private static func rule(_ rule: ExplainedRule) -> String {
        "\(rule.action) \(rule.rule)" + (rule.source.map { " at \($0)" } ?? "")
            + (rule.note.isEmpty ? "" : ": \(rule.note)")
    }

    private static func side(_ side: ExplainedSide) -> String {
        let labels = side.labels.joined(separator: ",")
        return "\(side.endpoint ?? side.text) [identity \(side.identity)\(labels.isEmpty ? "" : " \(labels)")]"
    }
}
