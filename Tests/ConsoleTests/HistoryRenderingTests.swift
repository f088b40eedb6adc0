// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import Console

@Suite struct HistoryRenderingTests {
    private let apply = RevisionRecord(
        number: 1, at: "T1", userID: 1000, action: .apply, added: ["NetworkPolicy/a", "NetworkPolicy/b"],
        changed: ["NetworkPolicy/c"], removed: ["NetworkPolicy/d", "NetworkPolicy/e"])

    @Test func `revisions are lines with who, why and the first policies`() {
        let back = RevisionRecord(
            number: 2, at: "T2", userID: nil, action: .unconfirmed, target: 0, removed: ["NetworkPolicy/a"])
        let waiting = ConfirmationReport(revision: 2, rollbackTo: 1, deadline: "T3", secondsLeft: 89.2)
        let report = HistoryReport(revisions: [back, apply], kept: 5, oldestReachable: 0, confirmation: waiting)
        #expect(
            HistoryRendering.lines(report) == [
                "REVISION  TIME  USER      ACTION                    POLICIES",
                "2         T2    agent     back to 0, not confirmed  -NetworkPolicy/a",
                "1         T1    uid 1000  apply                     "
                    + "+NetworkPolicy/a +NetworkPolicy/b ~NetworkPolicy/c and 2 more",
                "… 3 more: raise --limit",
                "revision 2 goes back to 1 in 90 s (T3) unless `bulkhead policy confirm 2` comes first",
            ])
        #expect(
            HistoryRendering.lines(HistoryReport(revisions: [], kept: 0, oldestReachable: 0))
                == ["no revision yet: nothing was applied"])
    }

    @Test func `one revision shows the documents before and after`() {
        let detail = RevisionDetail(
            revision: apply,
            changes: [
                .init(policy: "NetworkPolicy/a", before: nil, after: "x: 1\ny: 2\n"),
                .init(policy: "NetworkPolicy/d", before: "z: 3\n", after: nil),
            ])
        #expect(
            HistoryRendering.lines(detail) == [
                "revision 1: apply by uid 1000 at T1", "", "NetworkPolicy/a added", "+ x: 1", "+ y: 2", "",
                "NetworkPolicy/d removed", "- z: 3",
            ])
    }

    @Test(arguments: [("90", 90), ("90s", 90), ("2m", 120), ("1h", 3600), ("7d", 604_800)])
    func `times to confirm are written in the usual way`(text: String, seconds: Int) {
        #expect(ConfirmationTime(argument: text)?.duration == .seconds(seconds))
    }

    @Test(arguments: ["", "0", "m", "-1m", "8d", "2 m", "2x", "99999999999999999999", "9223372036854775807h"])
    func `other times are refused`(text: String) { #expect(ConfirmationTime(argument: text) == nil) }
}
