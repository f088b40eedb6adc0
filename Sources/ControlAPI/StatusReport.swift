// SPDX-License-Identifier: Apache-2.0

/// `GET /v1/status`: the agent in one page.
package struct StatusReport: Codable, Hashable, Sendable {
    /// What the agent is doing.
    package enum Condition: String, Codable, Sendable {
        /// Adopting what is in the kernel, whose state is in force, or attaching what the sources named first.
        case starting
        /// The newest documents and workloads are in force.
        case ready
        /// Something could not be brought into force; `problems` says what. What was in force before still is.
        case degraded
    }

    package var version: String
    /// Version in the pin path; agents with the same number adopt each other's state.
    package var abiVersion: Int
    package var processID: Int32
    /// RFC 3339.
    package var startedAt: String
    package var condition: Condition
    /// True: nothing is dropped for policy on this host, only reported.
    package var audit: Bool
    /// Names of namespaces in audit mode; nil: none.
    package var auditedNamespaces: [String]?
    /// True: the agent computes and reports and leaves the kernel alone.
    package var dryRun: Bool
    package var kernel: KernelReport
    package var state: StateReport
    package var events: EventReport
    package var sources: [SourceReport]
    package var problems: [ProblemReport]
    /// What is in force but does not do what it seems to: port names of rules that no destination defines.
    package var warnings: [DiagnosticRecord]
    /// The change of policies that is taken back unless somebody confirms it.
    package var confirmation: ConfirmationReport?
    /// Rules by DNS name; nil: no answer is read and no rule has a name.
    package var names: NameStatus?
    /// The cluster that this node belongs to; nil: it is alone.
    package var cluster: ClusterStatus?
    /// Policies with an end, the next one first, also those that are over; nil: none.
    package var timedPolicies: [TimedPolicyReport]?
    /// What nobody need mend, but which explains what may surprise; nil: nothing.
    package var notes: [ProblemReport]?
    /// Detectors; nil: they do not run.
    package var detection: DetectionStatus?
    /// Alerts, sinks and responses; nil: of an agent that has none.
    package var alerts: AlertStatus?
    /// The log of verdicts; nil: none is kept.
    package var policyLog: PolicyLogStatus?

    package init(
        version: String, abiVersion: Int, processID: Int32, startedAt: String, condition: Condition, audit: Bool,
        dryRun: Bool, kernel: KernelReport, state: StateReport, events: EventReport, sources: [SourceReport],
        problems: [ProblemReport], warnings: [DiagnosticRecord] = [],
        confirmation: ConfirmationReport? = nil, timedPolicies: [TimedPolicyReport] = []
    ) {
        self.version = version
        self.abiVersion = abiVersion
        self.processID = processID
        self.startedAt = startedAt
        self.condition = condition
        self.audit = audit
        self.dryRun = dryRun
        self.kernel = kernel
        self.state = state
        self.events = events
        self.sources = sources
        self.problems = problems
        self.warnings = warnings
        self.confirmation = confirmation
        self.timedPolicies = timedPolicies.isEmpty ? nil : timedPolicies
    }
}

/// The log of verdicts that policies, documents or the configuration want written; counts are since the agent's start.
package struct PolicyLogStatus: Codable, Hashable, Sendable {
    package var path: String
    /// Decisions in lines; a line of a denial stands for several.
    package var written: UInt64
    /// Decisions that are in no line.
    package var notWritten: UInt64
    /// Why nothing can be written; nil: it can.
    package var problem: String?

    package init(path: String, written: UInt64, notWritten: UInt64, problem: String? = nil) {
        self.path = path
        self.written = written
        self.notWritten = notWritten
        self.problem = problem
    }
}

/// How names become addresses; counts are the kernel's since its tables were made.
package struct NameStatus: Codable, Hashable, Sendable {
    /// Whose answers are believed.
    package var resolvers: [String] = []
    /// Names and patterns that rules have.
    package var selectors = 0
    package var questions: UInt64 = 0
    package var answers: UInt64 = 0
    /// Answers that nobody waited for: forged, late, repeated.
    package var unasked: UInt64 = 0
    /// Answers that a workload whose source is not checked sent in a resolver's name.
    package var forged: UInt64 = 0
    package var malformed: UInt64 = 0
    /// Fragments, TCP out of order, messages that are too long, more in a packet than are read.
    package var unread: UInt64 = 0
    package var learnt: UInt64 = 0
    /// Addresses that no name opens: loopback, link-local, metadata.
    package var forbidden: UInt64 = 0
    /// More rules for an address, or for a name, than there is room for.
    package var crowded: UInt64 = 0
    package var withoutMemory: UInt64 = 0

    package init() {}
}

/// A policy that is out of force from a moment on.
package struct TimedPolicyReport: Codable, Hashable, Sendable {
    package var policy: String
    /// RFC 3339.
    package var validUntil: String
    package var inForce: Bool

    package init(policy: String, validUntil: String, inForce: Bool) {
        self.policy = policy
        self.validUntil = validUntil
        self.inForce = inForce
    }
}

/// What the kernel offers and what hangs on it.
package struct KernelReport: Codable, Hashable, Sendable {
    package var release: String
    package var pinDirectory: String
    package var attachments: [AttachmentReport]
    /// Names of the probed features that are there.
    package var available: [String]
    /// What this kernel lacks and what that costs.
    package var missing: [MissingFeature]

    package init(
        release: String, pinDirectory: String, attachments: [AttachmentReport] = [], available: [String] = [],
        missing: [MissingFeature] = []
    ) {
        self.release = release
        self.pinDirectory = pinDirectory
        self.attachments = attachments
        self.available = available
        self.missing = missing
    }
}

/// One program on one interface, or on the root of the cgroup hierarchy.
package struct AttachmentReport: Codable, Hashable, Sendable {
    package var program: String
    /// The interface's name, or the cgroup's directory.
    package var interface: String
    /// 0: a cgroup.
    package var interfaceIndex: UInt32
    /// `tcx`, `clsact` or `cgroup`; `missing`: a program for services was taken off and will be put on again.
    package var hook: String
    /// Name of the endpoint it serves, or how many services.
    package var endpoint: String

    package init(program: String, interface: String, interfaceIndex: UInt32, hook: String, endpoint: String) {
        self.program = program
        self.interface = interface
        self.interfaceIndex = interfaceIndex
        self.hook = hook
        self.endpoint = endpoint
    }
}

/// A kernel feature that is absent.
package struct MissingFeature: Codable, Hashable, Sendable {
    package var feature: String
    /// Why it is missing and which kernel has it.
    package var reason: String
    /// What the user loses.
    package var cost: String

    package init(feature: String, reason: String, cost: String) {
        self.feature = feature
        self.reason = reason
        self.cost = cost
    }
}

/// Sizes of what is in force.
package struct StateReport: Codable, Hashable, Sendable {
    /// Policy generation that packets see.
    package var generation: UInt32
    package var endpoints: Int
    package var attachedEndpoints: Int
    package var identities: Int
    package var policies: Int
    package var policyEntries: Int
    package var ipcacheEntries: Int
    package var rules: Int
    /// Entries of the flow table, expired ones that await the sweep included.
    package var conntrackEntries: Int
    /// How long ago they were counted, in seconds; a large table is not counted for every request.
    package var conntrackAgeSeconds: Double
    package var conntrackCapacity: Int
    /// RFC 3339; nil before the first commit of this process.
    package var lastCommitAt: String?
    /// From noticing the change to its being in force.
    package var lastCommitMilliseconds: Double?
    package var commits: Int
    package var refusedCommits: Int

    package init() {
        generation = 0
        endpoints = 0
        attachedEndpoints = 0
        identities = 0
        policies = 0
        policyEntries = 0
        ipcacheEntries = 0
        rules = 0
        conntrackEntries = 0
        conntrackAgeSeconds = 0
        conntrackCapacity = 0
        commits = 0
        refusedCommits = 0
    }
}

/// How events fare between kernel and readers.
///
/// No loss is without a number here.
package struct EventReport: Codable, Hashable, Sendable {
    /// Events read since the agent started.
    package var taken: UInt64
    /// Ring buffer full: counted by the kernel since the maps were made.
    package var lostInKernel: UInt64
    package var undecodable: UInt64
    package var lostByFollowers: UInt64
    package var followers: Int
    package var held: Int
    /// Packets by verdict since the agent started: `allow`, `deny`, `audit`.
    package var verdicts: [String: UInt64]
    /// Dropped packets by reason and direction, from the kernel's counters.
    package var drops: [DropCount]

    package init() {
        taken = 0
        lostInKernel = 0
        undecodable = 0
        lostByFollowers = 0
        followers = 0
        held = 0
        verdicts = [:]
        drops = []
    }
}

/// Packets dropped for one reason in one direction.
package struct DropCount: Codable, Hashable, Sendable {
    package var reason: String
    package var direction: String
    package var packets: UInt64
    package var bytes: UInt64

    package init(reason: String, direction: String, packets: UInt64, bytes: UInt64) {
        self.reason = reason
        self.direction = direction
        self.packets = packets
        self.bytes = bytes
    }
}

/// One place that workloads or policies come from.
package struct SourceReport: Codable, Hashable, Sendable {
    /// `podman`, `docker`, `workloads file`, `policy directory`, `host`.
    package var name: String
    /// Socket, file or directory.
    package var location: String
    /// `connected`, `absent`, `watching`, or what is wrong.
    package var state: String
    /// Workloads or policies it contributes.
    package var items: Int

    package init(name: String, location: String, state: String, items: Int) {
        self.name = name
        self.location = location
        self.state = state
        self.items = items
    }
}

/// Something that is not in force, why, and what to do.
package struct ProblemReport: Codable, Hashable, Sendable {
    /// What it is about: a file, an endpoint, a source.
    package var subject: String
    /// Cause and remedy in one or more lines; for documents `file:line:column` comes first.
    package var message: String
    /// RFC 3339, when it was first seen.
    package var since: String

    package init(subject: String, message: String, since: String) {
        self.subject = subject
        self.message = message
        self.since = since
    }
}
