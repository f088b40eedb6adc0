// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import KernelDatapath
import Metrics
import ResponseActions

/// What the agent knows of itself at one moment, copied out so that nobody waits while it is written down.
struct MetricFacts: Sendable {
    var isReady = false
    var isAudit = false
    var isDryRun = false
    var isConfirmationPending = false
    var problems = 0

    var enforcedEndpoints = 0
    var pendingEndpoints = 0
    /// Endpoints that no enforced policy closes, by direction.
    var openEndpoints: [String: Int] = [:]
    var identities = 0
    var ipcacheEntries = 0
    /// Workloads by source.
    var sources: [String: Int] = [:]
    var policies = 0
    var refusedPolicies = 0
    var rules = 0
    var commits = CommitLog()
    var conntrackEntries = 0
    /// Interfaces by how programs are attached.
    var hooks: [String: Int] = [:]
    /// Numbers of rules in use, the lowest of them, as many as are told.
    var ruleNames: [UInt32: RuleLabels] = [:]
    /// Rules beyond those.
    var untoldRules = 0

    var readsAnswers = false
    var cluster: ClusterStatus?
    var clusterProblems = 0
    var cniAttachments: Int?
    var detection: DetectionStatus?
    var alerts: AlertStatus?
    var responses: ResponsePlan.Counters?
    var shield: ShieldFacts?
    var policyLog: PolicyLogStatus?

    /// What a rule is called in labels.
    struct RuleLabels: Hashable, Sendable {
        var policy: String
        var rule: String
    }
}

/// The counters of the shield, without its lists.
struct ShieldFacts: Sendable {
    struct Feed: Sendable {
        var name: String
        var prefixes: Int
        var packets: UInt64
        var isBroken: Bool
    }

    /// Packets by outcome.
    var packets: [(outcome: String, count: UInt64)] = []
    var drops: [ShieldDrop] = []
    var lostEvents: UInt64 = 0
    var blocks = 0
    var blockCapacity = 0
    var refusedBlocks = 0
    var feeds: [Feed] = []
}

/// What the kernel counts, read apart from the agent's state.
struct KernelFacts: Sendable {
    var status = DatapathStatus(attachment: .tcx)
    var metrics: DatapathMetrics?
    var rules: [UInt32: RuleTraffic] = [:]
    var programs: [ProgramRuns] = []

    /// Reads in pieces, so that a commit never waits for more than one of them.
    ///
    /// What cannot be read is absent.
    init(_ datapath: any DatapathWriting, rules slots: [UInt32]) {
        status = datapath.status()
        metrics = try? datapath.metrics()
        programs = (try? datapath.programRuns()) ?? []
        for begin in stride(from: 0, to: slots.count, by: KernelFacts.piece) {
            let piece = Array(slots[begin..<min(begin + KernelFacts.piece, slots.count)])
            rules.merge((try? datapath.ruleTraffic(piece)) ?? [:]) { $1 }
        }
    }

    private static let piece = 64

    init() {}
}
