// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FlowAggregation
import IdentityAllocation
import KernelDatapath
import LinuxHost
import Metrics
import NetworkModel
import PolicyCompiler
import PolicyModel

extension AgentState {
    /// The agent's metrics as a text.
    ///
    /// Only what is copied is read where changes are made; the kernel is asked and the text is written beside it.
    nonisolated func metrics(_ format: MetricFormat) async -> [UInt8] {
        let facts = await metricFacts()
        let kernel = KernelFacts(datapath, rules: facts.ruleNames.keys.sorted())
        var page = MetricPage(facts, kernel, aggregator.counters, ProcessFacts.read())
        for (family, count) in metricTally.add(page.dropped).sorted(by: { $0.key < $1.key }) {
            page.add(.droppedSamples, count, family)
        }
        return page.text(format)
    }

    private func metricFacts() async -> MetricFacts {
        var facts = MetricFacts()
        facts.policyLog = await policyLog?.status
        facts.problems = await allProblems(refused: refusedAddresses().problems, log: facts.policyLog).count
        facts.detection = await detection?.status
        facts.alerts = await alerts?.status()
        facts.responses = await responses?.counters
        facts.shield = try? await shield?.facts()
        facts.cluster = clusterStatus()
        facts.clusterProblems = clusterProblems().count + (cluster?.documents.problems.count ?? 0)
        if let nodes = await fleet?.nodeCount() { facts.cluster?.nodes = nodes }
        facts.cniAttachments = attachmentKeeper?.table.all.count
        noteMode(&facts)
        noteEndpoints(&facts)
        notePolicies(&facts)
        return facts
    }

    private func noteMode(_ facts: inout MetricFacts) {
        facts.isReady = isAdopted && areFirstEndpointsAttached
        facts.isAudit = isAudit
        facts.isDryRun = configuration.isDryRun
        facts.isConfirmationPending = confirmation != nil
        facts.readsAnswers = readsAnswers || !engine.allocator.nameNumbers.isEmpty
        // As the sweep left it: a scrape does not walk the table.
        facts.conntrackEntries = conntrackTally.entries
        facts.commits = commits
    }

    private func noteEndpoints(_ facts: inout MetricFacts) {
        let problems = endpointProblems
        for direction in Direction.allCases { facts.openEndpoints["\(direction)"] = 0 }
        for workload in engine.input.workloads.values {
            guard let assignment = engine.allocator.assignments[workload.key] else { continue }
            let isEnforced = isAttached(workload) && workload.problem == nil && problems[workload.key] == nil
            if isEnforced { facts.enforcedEndpoints += 1 } else { facts.pendingEndpoints += 1 }
            for direction in Direction.allCases where !engine.isClosed(assignment.subject, direction) {
                facts.openEndpoints["\(direction)", default: 0] += 1
            }
        }
        facts.identities = engine.allocator.records.count
        facts.ipcacheEntries = engine.allocator.mappings.count
        facts.sources = sources.mapValues { $0.workloads.count }
        facts.hooks = attachments.values.reduce(into: [:]) { $0[$1.rawValue, default: 0] += 1 }
    }

    private func notePolicies(_ facts: inout MetricFacts) {
        facts.policies = engine.input.policies.count
        facts.refusedPolicies = fileProblems.count + applied.problems.count
        facts.rules = engine.input.policies.values.reduce(0) { $0 + $1.rules.count }
        let descriptions = engine.registry.descriptions
        let wanted = min(descriptions.count, Metric.rulePackets.samplesMax)
        for slot in 1...RuleRegistry.slotRange.upperBound {
            guard facts.ruleNames.count < wanted else { break }
            if let description = descriptions[slot] { facts.ruleNames[slot] = MetricFacts.RuleLabels(description) }
        }
        facts.untoldRules = descriptions.count - facts.ruleNames.count
    }
}

extension MetricFacts.RuleLabels {
    /// A policy's reference and the rule's place in it; of a default deny the policies that close.
    init(_ description: RuleDescription) {
        switch description {
        case .rule(let origin):
            self.init(policy: origin.policy.text, rule: "\(origin.section)[\(origin.index)]")
        case .defaultDeny(let direction, let policies):
            let names = policies.prefix(4).map(\.text).joined(separator: " ")
            self.init(
                policy: policies.count > 4 ? "\(names) +\(policies.count - 4)" : names,
                rule: "default-deny \(direction)")
        case .builtin(let name): self.init(policy: "", rule: name)
        }
    }
}
