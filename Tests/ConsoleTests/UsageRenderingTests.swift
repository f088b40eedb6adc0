// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import Console

@Suite struct UsageRenderingTests {
    private static let rule = RuleUsageReport.Rule(
        policy: "NetworkPolicy/shop/db", rule: "ingress[0]", action: "allow", source: "db.yaml:7:5",
        watched: 45 * 86_400, lastHit: 33 * 86_400 + 5)

    @Test func `unused rules are a table with policy, rule and file`() {
        var report = RuleUsageReport(since: 30 * 86_400, watched: 45 * 86_400)
        report.rules = 2
        report.unused = [Self.rule]
        #expect(
            UsageRendering.lines(report) == [
                "POLICY                 RULE        ACTION  FILE         LAST HIT  WATCHED",
                "NetworkPolicy/shop/db  ingress[0]  allow   db.yaml:7:5  33d ago   45d", "1 of 2 rules unused for 30d",
            ])
    }

    @Test func `a record that is too young is said, not passed over`() {
        var report = RuleUsageReport(since: 30 * 86_400, watched: 7200)
        report.rules = 1
        var rule = Self.rule
        (rule.watched, rule.lastHit) = (7100, nil)
        report.young = [rule]
        #expect(
            UsageRendering.lines(report) == [
                "no rule is known to be unused for 30d",
                "1 of 1 rules were never hit, but are not watched for 30d yet (1h at most): nothing can be said of them",
                "the record is 2h old",
            ])
    }

    @Test func `times have a unit`() {
        #expect(UsageTime(argument: "30d")?.seconds == 30 * 86_400 && UsageTime(argument: "90")?.seconds == 90)
        for wrong in ["", "d", "-1d", "0", "1y", "99999999999999999999d", "9999999d"] {
            #expect(UsageTime(argument: wrong) == nil, "\(wrong)")
        }
    }
}
