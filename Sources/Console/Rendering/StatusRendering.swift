// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// `bulkhead status` for people.
enum StatusRendering {
    static func lines(_ report: StatusReport) -> [String] {
        var lines = head(report)
        lines += section("Attached", attachments(report.kernel.attachments, condition: report.dryRun))
        lines += section("Sources", sources(report.sources))
        if let cluster = report.cluster { lines += section("Cluster", self.cluster(cluster)) }
        lines += section("Events", events(report.events))
        if let names = report.names { lines += section("Names", self.names(names)) }
        if let detection = report.detection { lines += section("Detection", self.detection(detection)) }
        if let alerts = report.alerts { lines += section("Alerts", AlertRendering.status(alerts)) }
        if let log = report.policyLog, log.written + log.notWritten > 0 {
            lines += section(
                "Policy log", ["\(log.written) verdicts in \(log.path), \(log.notWritten) not written"])
        }
        lines += section("Kernel features", features(report.kernel))
        if !report.problems.isEmpty { lines += section("Problems", problems(report.problems)) }
        if let notes = report.notes { lines += section("Notes", problems(notes)) }
        if let timed = report.timedPolicies {
            lines += section(
                "Policies with an end",
                timed.map { "\($0.policy) \($0.inForce ? "until" : "is out of force since") \($0.validUntil)" })
        }
        if !report.warnings.isEmpty { lines += section("Warnings", report.warnings.map(\.text)) }
        return lines
    }

    private static func detection(_ status: DetectionStatus) -> [String] {
        let found = status.findings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        var lines = [
            "\(status.detectors.count) detectors over \(status.reports) reports of the sensors; \(status.forgotten) records "
                + "given up, \(status.rememberedWorkloads) workloads known from before",
            "findings: \(found.isEmpty ? "none" : found.joined(separator: ", "))",
        ]
        if status.missed > 0 { lines.append("\(status.missed) more reports were missed: the detectors were behind") }
        if let problem = status.problem { lines.append(problem) }
        return lines
    }

    private static func cluster(_ status: ClusterStatus) -> [String] {
        var lines = ["\(status.feed): \(status.message)"]
        if let at = status.currentAt, !status.connected || status.remembered {
            let age = status.ageSeconds.map { ", \($0) s ago" } ?? ""
            let whose = status.remembered ? "an earlier agent knew" : "is known"
            lines.append("in force is what \(whose), last current at \(at)\(age)")
        }
        let nodes = status.nodes.map { "\($0) nodes; " } ?? ""
        lines.append("\(nodes)\(status.policies) policies, \(status.workloads) workloads of other nodes")
        guard let telling = status.telling else { return lines }
        return lines + [telling.reportProblem, telling.eventProblem].compactMap(\.self)
            + (telling.deniedUntold.map { $0 > 0 ? ["\($0) denied packets are in no event"] : [] } ?? [])
    }

    private static func problems(_ reports: [ProblemReport]) -> [String] {
        reports.flatMap { report in
            ["\(report.subject) (since \(report.since))"]
                + report.message.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
        }
    }

    private static func head(_ report: StatusReport) -> [String] {
        let mode = report.dryRun ? "dry run" : report.audit ? "audit mode: nothing is dropped for policy" : "enforcing"
        let state = report.state
        var lines = [
            "bulkhead \(report.version): \(report.condition.rawValue), \(mode)",
            "  agent      pid \(report.processID), since \(report.startedAt), ABI v\(report.abiVersion)",
            "  kernel     \(report.kernel.release), pins in \(report.kernel.pinDirectory)",
            "  endpoints  \(state.endpoints), \(state.attachedEndpoints) attached",
            "  policies   \(state.policies) with \(state.rules) rules; \(state.identities) identities",
            "  tables     \(state.policyEntries) policy entries, \(state.ipcacheEntries) ipcache prefixes, "
                + "conntrack \(state.conntrackEntries)/\(state.conntrackCapacity)" + age(state.conntrackAgeSeconds),
        ]
        var commit =
            "  commits    generation \(state.generation), \(state.commits) made, \(state.refusedCommits) refused"
        if let at = state.lastCommitAt {
            commit += ", last \(at)" + (state.lastCommitMilliseconds.map { " in \(rounded($0)) ms" } ?? "")
        }
        lines.append(commit)
        if let names = report.auditedNamespaces {
            lines.append("  audit      namespaces " + names.joined(separator: ", "))
        }
        if let waiting = report.confirmation { lines.append("  confirm    " + HistoryRendering.waiting(waiting)) }
        return lines
    }

    /// Nothing to say about a count that is as good as now.
    private static func age(_ seconds: Double) -> String {
        seconds < 1 ? "" : " (counted \(Int(seconds.rounded())) s ago)"
    }

    private static func attachments(_ attachments: [AttachmentReport], condition isDryRun: Bool) -> [String] {
        var table = TextTable(["INTERFACE", "INDEX", "PROGRAM", "HOOK", "ENDPOINT"])
        for attachment in attachments {
            table.add([
                attachment.interface, attachment.interfaceIndex == 0 ? "-" : String(attachment.interfaceIndex),
                attachment.program, attachment.hook,
                attachment.endpoint,
            ])
        }
        return table.lines(none: isDryRun ? "nothing: the agent runs dry" : "nothing yet")
    }

    private static func sources(_ sources: [SourceReport]) -> [String] {
        var table = TextTable(["SOURCE", "STATE", "ITEMS", "LOCATION"])
        for source in sources { table.add([source.name, source.state, String(source.items), source.location]) }
        return table.lines(none: "none configured")
    }

    private static func features(_ kernel: KernelReport) -> [String] {
        let missing = kernel.missing.flatMap { ["missing \($0.feature): \($0.reason)", "  costs: \($0.cost)"] }
        guard !kernel.available.isEmpty else { return missing.isEmpty ? ["not probed: the agent runs dry"] : missing }
        return missing + ["present: " + kernel.available.joined(separator: ", ")]
    }

    private static func events(_ events: EventReport) -> [String] {
        let verdicts = ["allow", "deny", "audit"].map { "\($0) \(events.verdicts[$0] ?? 0)" }.joined(separator: ", ")
        var lines = [
            "\(events.taken) read (\(verdicts)); lost: \(events.lostInKernel) in the kernel, "
                + "\(events.lostByFollowers) by slow readers, \(events.undecodable) undecodable"
        ]
        for drop in events.drops {
            lines.append("dropped \(drop.packets) packets \(drop.direction): \(drop.reason)")
        }
        return lines
    }

    private static func names(_ names: NameStatus) -> [String] {
        let resolvers =
            names.resolvers.isEmpty ? "nobody: dns.resolvers is empty" : names.resolvers.joined(separator: ", ")
        var lines = [
            "answers are read of \(resolvers)",
            "\(names.selectors) names and patterns in rules; \(names.questions) questions, \(names.answers) answers "
                + "believed, \(names.learnt) addresses learnt",
        ]
        let troubles = [
            (names.unasked, "answers that nobody waited for: forged, late or repeated"),
            (names.forged, "answers that a workload sent in a resolver's name"),
            (names.malformed, "malformed answers"), (names.unread, "answers not read: in fragments or out of order"),
            (names.forbidden, "addresses that no name opens: loopback, link-local, metadata"),
            (names.crowded, "addresses or names that more rules mean than there is room for"),
            (names.withoutMemory, "addresses that there was no memory for"),
        ]
        lines += troubles.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        return lines
    }

    private static func section(_ title: String, _ body: [String]) -> [String] {
        ["", title] + body.map { "  \($0)" }
    }

    private static func rounded(_ milliseconds: Double) -> String {
        let tenths = Int((milliseconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
