// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Revisions of the applied policies for people.
enum HistoryRendering {
    static func lines(_ report: HistoryReport) -> [String] {
        var table = TextTable(["REVISION", "TIME", "USER", "ACTION", "POLICIES"])
        for revision in report.revisions {
            table.add([String(revision.number), revision.at, user(revision), action(revision), summary(revision)])
        }
        var lines = table.lines(none: "no revision yet: nothing was applied")
        if report.kept > report.revisions.count {
            lines.append("… \(report.kept - report.revisions.count) more: raise --limit")
        }
        if let waiting = report.confirmation { lines.append(self.waiting(waiting)) }
        return lines
    }

    static func lines(_ detail: RevisionDetail) -> [String] {
        let revision = detail.revision
        var lines = ["revision \(revision.number): \(action(revision)) by \(user(revision)) at \(revision.at)"]
        for change in detail.changes {
            let verb = change.before == nil ? "added" : change.after == nil ? "removed" : "changed"
            lines += ["", "\(change.policy) \(verb)"]
            if let before = change.before { lines += text(before, "- ") }
            if let after = change.after { lines += text(after, "+ ") }
        }
        return lines
    }

    /// `revision 7 is taken back in 95 s, at …`.
    static func waiting(_ report: ConfirmationReport) -> String {
        "revision \(report.revision) goes back to \(report.rollbackTo) in \(Int(report.secondsLeft.rounded(.up))) s "
            + "(\(report.deadline)) unless `bulkhead policy confirm \(report.revision)` comes first"
    }

    private static func user(_ revision: RevisionRecord) -> String { revision.userID.map { "uid \($0)" } ?? "agent" }

    private static func action(_ revision: RevisionRecord) -> String {
        switch revision.action {
        case .apply, .delete: revision.action.rawValue
        case .rollback: "rollback to \(revision.target ?? 0)"
        case .unconfirmed: "back to \(revision.target ?? 0), not confirmed"
        }
    }

    /// The first few by name.
    private static func summary(_ revision: RevisionRecord) -> String {
        let all =
            revision.added.map { "+\($0)" } + revision.changed.map { "~\($0)" } + revision.removed.map { "-\($0)" }
        let shown = all.prefix(3).joined(separator: " ")
        return all.count > 3 ? "\(shown) and \(all.count - 3) more" : shown
    }

    private static func text(_ document: String, _ mark: String) -> [String] {
        let text = document.hasSuffix("\n") ? String(document.dropLast()) : document
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { mark + $0 }
    }
}
