// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import KernelDatapath
import Metrics
import NetworkModel

extension MetricPage {
    /// Everything that is known, as samples.
    init(_ facts: MetricFacts, _ kernel: KernelFacts, _ flows: FlowCounters, _ process: ProcessFacts) {
        self.init()
        addKernel(facts, kernel)
        addFlows(facts, kernel.metrics, flows)
        addPolicies(facts, kernel.status)
        addCluster(facts)
        addThreats(facts)
        addAgent(facts, process)
    }

    private mutating func addKernel(_ facts: MetricFacts, _ kernel: KernelFacts) {
        if let metrics = kernel.metrics {
            for (reason, directions) in metrics.dropped.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                for (direction, traffic) in directions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                    add(.droppedPackets, traffic.packets, reason.name, "\(direction)")
                    add(.droppedBytes, traffic.bytes, reason.name, "\(direction)")
                }
            }
            add(.auditedPackets, metrics.audited.packets)
            add(.auditedBytes, metrics.audited.bytes)
            add(.linkLayerPackets, metrics.linkLayer.packets)
        }
        for (slot, labels) in facts.ruleNames.sorted(by: { $0.key < $1.key }) {
            guard let traffic = kernel.rules[slot] else { continue }
            add(.rulePackets, traffic.egress.packets &+ traffic.ingress.packets, labels.policy, labels.rule)
            add(.ruleBytes, traffic.egress.bytes &+ traffic.ingress.bytes, labels.policy, labels.rule)
        }
        for program in kernel.programs {
            add(.programRuns, program.count, program.program)
            add(.programSeconds, Double(program.nanoseconds) / 1e9, program.program)
        }
        let status = kernel.status
        add(.mapEntries, status.policyEntryCount, "policy")
        add(.mapEntries, facts.conntrackEntries, "conntrack")
        add(.mapEntries, facts.ipcacheEntries, "ipcache")
        add(.mapEntries, status.subjectCount, "subjects")
        add(.mapCapacity, status.policyEntryCapacity, "policy")
        add(.mapCapacity, status.conntrackCapacity, "conntrack")
        for (hook, count) in facts.hooks.sorted(by: { $0.key < $1.key }) { add(.attachments, count, hook) }
        if facts.untoldRules > 0 {
            add(.untoldRules, facts.untoldRules)
        }
    }

    private mutating func addFlows(_ facts: MetricFacts, _ metrics: DatapathMetrics?, _ flows: FlowCounters) {
        if let metrics {
            add(.flowsCreated, metrics.flowsCreated)
            add(.flowsReplaced, metrics.flowsExpired)
            add(.flowsRefused, metrics.flowsRefused)
            add(.flowsReevaluated, metrics.flowsReevaluated)
            add(.flowsRevoked, metrics.flowsRevoked)
            add(.fragmentsTracked, metrics.fragmentsTracked)
            add(.eventsWritten, metrics.eventsWritten)
            add(.eventsLost, metrics.eventsLost, "kernel")
            if facts.readsAnswers { addNames(metrics.names) }
        }
        add(.eventsLost, flows.lostByFollowers, "follower")
        add(.eventsLost, flows.undecodable, "undecodable")
        for verdict in Verdict.allCases { add(.events, flows.events(verdict), verdict.name) }
        add(.flowsHeld, flows.held)
        add(.flowFollowers, flows.followers)
        if let log = facts.policyLog {
            add(.logDecisions, log.written, "written")
            add(.logDecisions, log.notWritten, "not_written")
        }
    }

    private mutating func addNames(_ names: NameMetrics) {
        add(.dnsMessages, names.questions, "question")
        add(.dnsMessages, names.answers, "answer")
        add(.dnsMessages, names.unasked, "unasked")
        add(.dnsMessages, names.forged, "forged")
        add(.dnsMessages, names.malformed, "malformed")
        add(.dnsMessages, names.unread, "unread")
        add(.dnsAddresses, names.learnt, "learnt")
        add(.dnsAddresses, names.forbidden, "forbidden")
        add(.dnsAddresses, names.crowded, "crowded")
        add(.dnsAddresses, names.withoutMemory, "no_memory")
    }

    private mutating func addPolicies(_ facts: MetricFacts, _ status: DatapathStatus) {
        add(.endpoints, facts.enforcedEndpoints, "enforced")
        add(.endpoints, facts.pendingEndpoints, "pending")
        for (direction, count) in facts.openEndpoints.sorted(by: { $0.key < $1.key }) {
            add(.openEndpoints, count, direction)
        }
        add(.identities, facts.identities)
        for (source, count) in facts.sources.sorted(by: { $0.key < $1.key }) { add(.sourceWorkloads, count, source) }
        add(.policies, facts.policies, "in_force")
        add(.policies, facts.refusedPolicies, "refused")
        add(.rules, facts.rules)
        add(.generation, status.generation)
        add(.commits, facts.commits.made, "made")
        add(.commits, facts.commits.refused, "refused")
        add(.commitSeconds, facts.commits.durations)
        add(.lastCommit, facts.commits.lastSeconds)
        add(.confirmation, facts.isConfirmationPending ? 1 : 0)
        add(.audit, facts.isAudit ? 1 : 0)
    }

    private mutating func addAgent(_ facts: MetricFacts, _ process: ProcessFacts) {
        add(.buildInfo, 1, AgentState.version, "\(AgentState.abiVersion)")
        add(.ready, facts.isReady ? 1 : 0)
        add(.problems, facts.problems)
        add(.dryRun, facts.isDryRun ? 1 : 0)
        add(.cpuSeconds, process.cpuSeconds)
        add(.residentBytes, process.residentBytes)
        add(.virtualBytes, process.virtualBytes)
        add(.openFiles, process.openFiles)
        add(.maxFiles, process.maxFiles)
        add(.startTime, process.startTime)
    }
}
