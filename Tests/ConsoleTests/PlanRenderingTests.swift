// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import Console

@Suite struct PlanRenderingTests {
    private let change = PlanReport.Change(
        from: "shop/web", to: "shop/db", traffic: "tcp/5432", before: "allow", after: "deny",
        reason: "by NetworkPolicy/shop/db ingress[0]", source: "db.yaml:3:1")

    @Test func `a plan is told in words, with the number of what is left out`() {
        var report = PlanReport(changes: [change], total: 12, unjudgedPairs: 3)
        report.added = ["NetworkPolicy/shop/db"]
        report.refusal = "it would close SSH"
        #expect(
            PlanRendering.lines(report) == [
                "NetworkPolicy/shop/db would be added",
                "shop/web -> shop/db tcp/5432: allow becomes deny by NetworkPolicy/shop/db ingress[0] at db.yaml:3:1",
                "… 11 more: raise --limit",
                "3 pairs were not looked at, as there are too many: what changes between them is not known",
                "it would be refused: it would close SSH",
            ])
    }

    @Test func `what passes through the host is told by whom it comes from or goes to`() {
        func line(_ from: String, _ to: String, _ direction: String) -> [String] {
            let change = PlanReport.Change(
                from: from, to: to, traffic: "tcp/80", before: "deny", after: "audit", reason: "by R",
                stage: "forward", direction: direction)
            return PlanRendering.changes(PlanReport(changes: [change], total: 1, unjudgedPairs: 0))
        }
        let title = "what passes through the host"
        #expect(line("world", title, "ingress") == ["\(title), coming from world, tcp/80: deny becomes audit by R"])
        #expect(line(title, "world", "egress") == ["\(title), going to world, tcp/80: deny becomes audit by R"])
    }

    @Test func `a plan without a change says so`() {
        #expect(
            PlanRendering.lines(PlanReport(changes: [], total: 0, unjudgedPairs: 0))
                == ["no verdict changes between the workloads of this host and others or the world"])
    }

    @Test func `where pairs were not looked at nobody says that nothing changes`() {
        let plan = PlanReport(changes: [], total: 0, unjudgedPairs: 7)
        #expect(
            PlanRendering.lines(plan) == [
                "no verdict changes between those that were looked at",
                "7 pairs were not looked at, as there are too many: what changes between them is not known",
            ])
        var report = DiffReport(lines: [], diagnostics: [])
        report.plan = plan
        #expect(report.saysChange, "the exit status is not that of no change")
        report.plan?.unjudgedPairs = 0
        #expect(!report.saysChange)
    }
}
