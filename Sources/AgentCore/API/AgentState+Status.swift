// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import Glibc
import IdentityAllocation
import KernelDatapath
import LinuxHost
import NetworkModel
import PolicyCompiler
import PolicyModel

extension AgentState {
    func status() async throws(APIError) -> StatusReport {
        let refused = refusedAddresses()
        let log = await policyLog?.status
        let problems = await allProblems(refused: refused.problems, log: log)
        let isStarting = !isAdopted || !areFirstEndpointsAttached
        let condition: StatusReport.Condition = !problems.isEmpty ? .degraded : isStarting ? .starting : .ready
        var report = StatusReport(
            version: AgentState.version, abiVersion: AgentState.abiVersion, processID: getpid(), startedAt: startedAt,
            condition: condition, audit: isAudit, dryRun: configuration.isDryRun, kernel: kernelReport(),
            state: stateReport(), events: eventReport(), sources: sourceReports(), problems: problems,
            warnings: engine.portNameDiagnostics().map(\.record), confirmation: confirmation,
            timedPolicies: timedPolicyReports())
        report.names = nameStatus()
        report.cluster = clusterStatus()
        if let nodes = await fleet?.nodeCount() { report.cluster?.nodes = nodes }
        let notes = refused.notes + responseNotes()
        report.notes = notes.isEmpty ? nil : notes
        report.detection = await detection?.status
        report.alerts = await alerts?.status()
        report.policyLog = log
        report.auditedNamespaces = auditedNamespaces.isEmpty ? nil : auditedNamespaces.sorted()
        return report
    }

    /// Everything that is not in force.
    func allProblems(refused: [ProblemReport], log: PolicyLogStatus?) async -> [ProblemReport] {
        let logProblems = log?.problem.map {
            [ProblemReport(subject: "policy log", message: $0, since: firstSeen("policy log", $0))]
        }
        return problemReports() + clusterProblems() + refused + (await shieldProblems()) + (logProblems ?? [])
    }

    private func nameStatus() -> NameStatus? {
        guard readsAnswers || !engine.allocator.nameNumbers.isEmpty else { return nil }
        var report = NameStatus()
        report.resolvers = configuration.names.resolvers.sorted().map(\.description)
        report.selectors = engine.allocator.nameNumbers.count
        guard let counts = try? datapath.metrics().names else { return report }
        report.questions = counts.questions
        report.answers = counts.answers
        report.unasked = counts.unasked
        report.forged = counts.forged
        report.malformed = counts.malformed
        report.unread = counts.unread
        report.learnt = counts.learnt
        report.forbidden = counts.forbidden
        report.crowded = counts.crowded
        report.withoutMemory = counts.withoutMemory
        return report
    }

    private func kernelReport() -> KernelReport {
        let status = datapath.status()
        var report = KernelReport(release: kernelRelease(), pinDirectory: status.directory)
        for (interface, (key, endpoint)) in desiredEndpoints().sorted(by: { $0.key < $1.key }) {
            guard let kind = attachments[interface], let workload = engine.input.workloads[key] else { continue }
            let name = workload.interfaces.first { $0.index == interface }?.name ?? ""
            let programs =
                endpoint.options.contains(.host)
                ? ["tc_from_network", "tc_to_network"] : ["tc_from_endpoint", "tc_to_endpoint"]
            for program in programs {
                report.attachments.append(
                    AttachmentReport(
                        program: program, interface: name, interfaceIndex: interface, hook: kind.rawValue,
                        endpoint: workload.name))
            }
        }
        report.attachments += serviceAttachments()
        let support = datapath.kernelSupport()
        report.available = support.available
        report.missing = support.gaps.map { MissingFeature(feature: $0.feature, reason: $0.reason, cost: $0.cost) }
        return report
    }

    private func stateReport() -> StateReport {
        let status = datapath.status()
        var report = StateReport()
        report.generation = status.generation
        report.endpoints = engine.input.workloads.count
        let attached = Set(attachments.keys)
        report.attachedEndpoints = engine.input.workloads.values.count { workload in
            workload.interfaces.contains { attached.contains($0.index) }
        }
        report.identities = engine.allocator.records.count
        report.policies = engine.input.policies.count
        report.policyEntries = status.policyEntryCount
        report.ipcacheEntries = engine.allocator.mappings.count
        report.rules = engine.input.policies.values.reduce(0) { $0 + $1.rules.count }
        let conntrack = conntrackCount()
        report.conntrackEntries = conntrack.entries
        report.conntrackAgeSeconds = conntrack.age.seconds
        report.conntrackCapacity = status.conntrackCapacity
        report.commits = commits.made
        report.refusedCommits = commits.refused
        report.lastCommitAt = commits.lastAt
        report.lastCommitMilliseconds = commits.lastDuration?.milliseconds
        return report
    }

    private func eventReport() -> EventReport {
        let counters = aggregator.counters
        var report = EventReport()
        report.taken = counters.taken
        report.undecodable = counters.undecodable
        report.lostByFollowers = counters.lostByFollowers
        report.followers = counters.followers
        report.held = counters.held
        for verdict in Verdict.allCases { report.verdicts[verdict.name] = counters.events(verdict) }
        guard let metrics = try? datapath.metrics() else { return report }
        report.lostInKernel = metrics.eventsLost
        for (reason, directions) in metrics.dropped.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            for (direction, traffic) in directions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                report.drops.append(
                    DropCount(
                        reason: reason.name, direction: "\(direction)", packets: traffic.packets, bytes: traffic.bytes))
            }
        }
        return report
    }

    private func sourceReports() -> [SourceReport] {
        var reports = sources.sorted { $0.key < $1.key }.map { name, source in
            SourceReport(name: name, location: source.location, state: source.state, items: source.workloads.count)
        }
        reports.append(
            SourceReport(
                name: "policies", location: directory.path,
                state: directory.problems.isEmpty ? "watching" : "has errors",
                items: directory.count))
        reports.append(
            SourceReport(
                name: "applied policies", location: configuration.appliedPolicyDirectory, state: "kept",
                items: applied.policies.count))
        return reports
    }

    private func problemReports() -> [ProblemReport] {
        var reports = problems.sorted { $0.key < $1.key }.map { subject, problem in
            ProblemReport(subject: subject, message: problem.message, since: problem.since)
        }
        let files = fileProblems.merging(applied.problems) { first, _ in first }
        for (path, message) in files.sorted(by: { $0.key < $1.key }) {
            reports.append(ProblemReport(subject: path, message: message, since: firstSeen(path, message)))
        }
        for (key, message) in endpointProblems.sorted(by: { $0.key < $1.key }) {
            let name = engine.input.workloads[key]?.name ?? key
            reports.append(ProblemReport(subject: "endpoint \(name)", message: message, since: firstSeen(key, message)))
        }
        for workload in engine.input.workloads.values.sorted(by: { $0.key < $1.key }) {
            // A container without a network needs no attention; a host without a device that is judged does.
            let concerns = workload.concerns + (workload.isHost ? [workload.problem].compactMap(\.self) : [])
            guard !concerns.isEmpty else { continue }
            let message = concerns.joined(separator: "; ")
            reports.append(
                ProblemReport(
                    subject: "endpoint \(workload.name)", message: message,
                    since: firstSeen("concern \(workload.key)", message)))
        }
        return reports + namesProblem()
    }

    /// Rules by name that do nothing: where they deny, nobody else would notice.
    private func namesProblem() -> [ProblemReport] {
        guard !readsAnswers, !engine.allocator.nameNumbers.isEmpty else { return [] }
        let rules = PolicyLint.namesNotRead(engine.input.policies.values, isKnown: true).map(\.origin.text)
        guard let first = rules.first else { return [] }
        let message =
            "\(rules.count) rules by DNS name do nothing (\(first)\(rules.count > 1 ? " …" : "")): dns.resolvers is "
            + "empty, so no answer is read; list the addresses that workloads ask (\(DiagnosticCode.namesNotRead))"
        return [ProblemReport(subject: "dns", message: message, since: firstSeen("dns", message))]
    }

    private func kernelRelease() -> String {
        (try? readTextFile("/proc/sys/kernel/osrelease"))?.split(separator: "\n").first.map(String.init) ?? "unknown"
    }
}
