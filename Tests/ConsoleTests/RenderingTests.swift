// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import Console

@Suite struct RenderingTests {
    private func flow(verdict: String, reason: String?) -> FlowRecord {
        FlowRecord(
            sequence: 1, time: "2026-11-21T01:02:03.123456789Z", verdict: verdict, reason: reason,
            direction: "ingress", endpoint: "redis", protocol: "tcp",
            source: FlowSide(address: "10.1.0.5", port: 40112, endpoint: "intruder", identity: 300, labels: []),
            destination: FlowSide(
                address: "fd00::2", port: 6379, endpoint: nil, identity: 301, labels: ["k8s:app=redis"]),
            state: "new", rule: "CiliumNetworkPolicy/shop/redis", ruleSource: nil, packets: 1, bytes: 60, generation: 3)
    }

    @Test func `a flow is one line with time, verdict, both sides and the cause`() {
        #expect(
            FlowRendering.line(flow(verdict: "deny", reason: "policy-default-deny"))
                == "01:02:03.123456 deny     ingress tcp    10.1.0.5:40112 (intruder) -> [fd00::2]:6379 (k8s:app=redis)"
                + "  policy-default-deny: CiliumNetworkPolicy/shop/redis")
    }

    @Test func `an address outside is shown with what DNS calls it, a few names of many`() {
        var flow = flow(verdict: "allow", reason: nil)
        flow.destination.names = ["a.test"]
        #expect(FlowRendering.line(flow).contains("-> [fd00::2]:6379 (a.test)  "))
        flow.destination.names = ["a.test", "b.test", "c.test"]
        #expect(FlowRendering.line(flow).contains("(a.test,b.test,… 3)"))
        // Workloads go by their own names.
        flow.source.names = ["a.test"]
        #expect(FlowRendering.line(flow).contains("10.1.0.5:40112 (intruder)"))
    }

    @Test func `names are a table, and none are explained`() {
        let record = NameRecord(
            endpoint: "web", name: "a.test", address: "198.51.100.1", secondsLeft: 0,
            rules: ["P/a egress[0]", "P/b egress[1]"])
        let lines = ListRendering.lines(NameReport(names: [record], total: 3, resolvers: ["10.0.0.53"]))
        #expect(
            lines == [
                "ENDPOINT  NAME    ADDRESS       EXPIRES  RULES",
                "web       a.test  198.51.100.1  over     P/a egress[0], P/b egress[1]",
                "… 2 more rows: raise --limit",
            ])
        #expect(
            ListRendering.lines(NameReport(names: [], total: 0, resolvers: [])) == [
                "no names: `dns.resolvers` of the agent's configuration is empty, so no answer is read"
            ])
    }

    @Test func `status tells whose answers are read, and of troubles those that there were`() {
        var names = NameStatus()
        names.resolvers = ["10.0.0.53"]
        names.selectors = 2
        names.answers = 5
        names.unasked = 1
        names.forged = 2
        var report = StatusReport(
            version: "1", abiVersion: 5, processID: 1, startedAt: "", condition: .ready, audit: false, dryRun: false,
            kernel: KernelReport(release: "", pinDirectory: ""), state: StateReport(), events: EventReport(),
            sources: [], problems: [])
        #expect(!StatusRendering.lines(report).contains("Names"))
        report.names = names
        let lines = StatusRendering.lines(report)
        let place = lines.firstIndex(of: "Names") ?? 0
        #expect(
            lines[place...].prefix(5) == [
                "Names", "  answers are read of 10.0.0.53",
                "  2 names and patterns in rules; 0 questions, 5 answers believed, 0 addresses learnt",
                "  1 answers that nobody waited for: forged, late or repeated",
                "  2 answers that a workload sent in a resolver's name",
            ])
    }

    @Test func `colour wraps only the verdict`() {
        let line = FlowRendering.line(flow(verdict: "allow", reason: nil), color: true)
        #expect(line.contains("\u{1b}[32mallow   \u{1b}[0m ingress"))
    }

    @Test func `columns are as wide as their widest cell and lines have no trailing blanks`() {
        var table = TextTable(["A", "LONG"])
        table.add(["wide cell", "x"])
        table.add(["", "y"])
        #expect(table.lines(none: "nothing") == ["A          LONG", "wide cell  x", "-          y"])
        #expect(TextTable(["A"]).lines(none: "nothing") == ["nothing"])
    }

    @Test func `status names problems, missing features and losses`() {
        var report = StatusReport(
            version: "1", abiVersion: 1, processID: 7, startedAt: "t", condition: .degraded, audit: true, dryRun: false,
            kernel: KernelReport(
                release: "6.1", pinDirectory: "/p", available: ["membarrier"],
                missing: [MissingFeature(feature: "tcx", reason: "requires >= 6.6", cost: "order of programs")]),
            state: StateReport(), events: EventReport(), sources: [],
            problems: [ProblemReport(subject: "web.yaml", message: "web.yaml:3:1: error: x", since: "t")],
            warnings: [RenderingTests.warning])
        report.events.lostInKernel = 5
        report.state.conntrackEntries = 9
        report.state.conntrackCapacity = 10
        report.state.conntrackAgeSeconds = 3.2
        report.confirmation = ConfirmationReport(revision: 7, rollbackTo: 6, deadline: "T", secondsLeft: 1.5)
        report.timedPolicies = [
            TimedPolicyReport(policy: "NetworkPolicy/a", validUntil: "T1", inForce: false),
            TimedPolicyReport(policy: "NetworkPolicy/b", validUntil: "T2", inForce: true),
        ]
        let text = StatusRendering.lines(report).joined(separator: "\n")
        for expected in [
            "degraded, audit mode", "missing tcx: requires >= 6.6", "present: membarrier",
            "conntrack 9/10 (counted 3 s ago)", "costs: order of programs", "lost: 5 in the kernel",
            "  confirm    revision 7 goes back to 6 in 2 s (T) unless `bulkhead policy confirm 7` comes first",
            "Policies with an end\n  NetworkPolicy/a is out of force since T1\n  NetworkPolicy/b until T2",
            "web.yaml:3:1: error: x", "Warnings\n  web.yaml:9:1: warning[BH2103]: no such port",
        ] { #expect(text.contains(expected)) }
    }

    @Test func `a count of now has no age`() {
        let text = StatusRendering.lines(RenderingTests.idle).joined(separator: "\n")
        #expect(text.contains("conntrack 0/0\n") && !text.contains("ago"))
        #expect(text.contains("not probed"))
    }

    @Test func `a policy is shown with what is to be said of it`() {
        let policy = PolicyRecord(
            kind: "NetworkPolicy", namespace: "shop", name: "web", origin: "api", source: "web.yaml:1:1", audit: false,
            rules: 1, endpoints: ["web"], document: "kind: NetworkPolicy\n", warnings: [RenderingTests.warning])
        #expect(
            ListRendering.lines(policy).suffix(4) == [
                "  endpoints  web", "  web.yaml:9:1: warning[BH2103]: no such port", "", "kind: NetworkPolicy",
            ])
    }

    private static let warning = DiagnosticRecord(
        severity: "warning", code: "BH2103", file: "web.yaml", line: 9, column: 1, message: "no such port")

    private static let idle = StatusReport(
        version: "1", abiVersion: 1, processID: 7, startedAt: "t", condition: .ready, audit: false, dryRun: true,
        kernel: KernelReport(release: "6.1", pinDirectory: "/p"), state: StateReport(), events: EventReport(),
        sources: [], problems: [])

    @Test func `an explanation shows each step with the rules that took part`() {
        let step = ExplainedStep(
            title: "ingress of redis", direction: "ingress", verdict: "deny", reason: "policy-default-deny",
            cause: "default deny by NetworkPolicy/shop/redis", source: nil, matched: [],
            unmatched: [
                ExplainedRule(
                    rule: "NetworkPolicy/shop/redis ingress[0]", action: "allow", source: "r.yaml:9:5",
                    note: "port 80 is not 6379")
            ])
        let side = ExplainedSide(text: "web", kind: "endpoint", endpoint: "web", identity: 300, labels: ["k8s:app=web"])
        var report = ExplainReport(verdict: "deny", from: side, to: side, traffic: "tcp/6379", steps: [step])
        #expect(
            PolicyRendering.lines(report) == [
                "deny  tcp/6379  web [identity 300 k8s:app=web] -> web [identity 300 k8s:app=web]", "",
                "ingress of redis: deny (policy-default-deny)", "  by default deny by NetworkPolicy/shop/redis",
                "  did not match:",
                "    allow NetworkPolicy/shop/redis ingress[0] at r.yaml:9:5: port 80 is not 6379",
            ])
        report.from.address = "10.0.0.2"
        report.to.address = "10.0.0.3"
        report.agreeing = 2
        report.steps = []
        report.differing = [
            ExplainedVariant(verdict: "allow", fromAddress: "fd00::2", toAddress: "fd00::3", steps: [])
        ]
        #expect(
            PolicyRendering.lines(report).dropFirst() == [
                "for 10.0.0.2 -> 10.0.0.3; 2 other pairs of addresses: the same", "",
                "but allow  for fd00::2 -> fd00::3",
            ])
    }
}
