// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import FlowAggregation
import IdentityAllocation
import IdentityModel
import KernelDatapath
import LinuxHost
import Logging
import Metrics
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyReading

/// The one place through which every change goes: workloads, host addresses and policies in; tables, endpoint records
/// and names out. Each change is a transaction: wholly in force, or not at all and named in `status`.
actor AgentState {
    let configuration: AgentConfiguration
    /// The host's name, by which documents mean it.
    let node: String
    let datapath: any DatapathWriting
    let aggregator: FlowAggregator
    let logger: Logger
    let startedAt = Timestamp.now()

    let engine: PolicyEngine
    let reader: PolicyReader
    var directory: PolicyDirectory
    var applied: AppliedPolicies
    /// Nil: this node is alone.
    var cluster: ClusterView?
    var sources: [String: SourceState] = [:]
    var hostAddresses: [IPAddress] = []
    /// As the kernel has them; nil: not known.
    var services: [DatapathService]?
    /// Directions in which only what policy names is allowed, by subject of the host; nil before the first commit.
    var closedHosts: [UInt16: Set<Direction>]?
    /// Some connections of the host are older than its policy; an earlier agent may have noted some.
    var areConnectionsKept = true
    /// What may differ between what is desired and what is in force.
    var unsettled = Unsettled()
    /// The host's links, addresses and routes; nil: not known yet.
    var network: HostNetwork?
    /// The sources' workloads with what each is granted, by key.
    var workloads: [String: Workload] = [:]
    var endpointNumbers: NumberPool<String>
    var isAudit: Bool
    /// Nil while the shield is off.
    private(set) var shield: ShieldKeeper?
    /// Nil where the sensors are off.
    private(set) var detection: DetectionKeeper?
    /// Nil where they could not be started.
    private(set) var alerts: AlertKeeper?
    private(set) var responses: ResponseKeeper?
    /// Who administers this host just now.
    let sessions = SessionWatch()
    /// Nil while listeners are not defended.
    private(set) var synKeeper: SynKeeper?
    /// What network plugins told; nil before it was opened.
    private(set) var attachmentKeeper: AttachmentKeeper?
    /// Nil: this node shares no store with others, or does not reach for it yet.
    var fleet: (any FleetStore)?
    /// Where this node's pods are told of; nil: it belongs to no cluster, or does not yet.
    var podBoard: PodBoard?
    /// What became of what this node tells its cluster; nil: it tells nothing.
    var telling: TellingBoard?
    /// Somebody may be attached whom nobody names: closed by a policy that nobody wrote.
    var arePlaceholdersPoliced: Bool
    /// Who waits until something about endpoints changes.
    var attachmentWaiters: [CheckedContinuation<Void, Never>] = []
    /// Policies that close the host's SSH were put in force by somebody who insisted.
    var isLockoutForced: Bool
    /// The failsafe ports as the kernel has them; nil before they were written.
    var failsafes: Set<FailsafePort>?
    /// By key; see `isAudited(_:)`.
    var auditedWorkloads: Set<String>
    /// By name, also where nobody is in it.
    var auditedNamespaces: Set<String>
    /// Ends of policies that have one, in seconds since 1970, also of those that are over.
    var timed: [PolicyReference: Int64] = [:]

    /// Why something is not in force, by subject, with the time it was first seen.
    var problems: [String: (message: String, since: String)] = [:]
    /// Interfaces that refused programs, with the keys of their workloads, or did not let go of them.
    var endpointFailures: [UInt32: (workload: String?, message: String)] = [:]
    var attachments: [UInt32: AttachmentKind] = [:]
    /// The program that is being put on or taken off, and what follows it.
    var endpointStep: EndpointStep?
    var endpointSteps: [EndpointStep] = []
    /// True while a change that is in no hurry waits for a commit to go along with.
    var isReconcileDue = false
    /// Interfaces that a network plugin has just told of: no process uses them yet.
    var freshInterfaces: Set<UInt32> = []
    /// From when on links may take the place of filters.
    var endpointsCalmAt = ContinuousClock.now
    /// Interfaces that keep their filters because the kernel refused links.
    var unsettledInterfaces: Set<UInt32> = []
    /// False until all that the sources named first is attached.
    var areFirstEndpointsAttached = false
    /// Something big went through the heap: what it held for a moment is still the process's.
    private var isHeapLoose = false
    /// What events are named by.
    var names: FlowNames { aggregator.names }
    /// What of the flows is logged, by the policies in force.
    let logRules: LogRuleBoard
    /// Nil: nothing is logged, whatever policies want.
    private(set) var policyLog: PolicyLogKeeper?
    /// For those who look at flows.
    let nameCache: LearntNameCache
    /// For those who scrape.
    let metricTally = MetricTally()
    var commits = CommitLog()
    /// When rules were last hit; nil before it was looked at first.
    var usage: RuleUsage?
    var usageRounds = 0
    var conntrackTally = ConntrackTally()
    /// Problems of policy files that the log has heard of, by path.
    var loggedFileProblems: [String: String] = [:]
    private var firstSeen: [String: (message: String, since: String)] = [:]
    /// False until the first complete state is in force.
    var isAdopted = false
    /// False if the tables must be written whole: at first, and after a commit that the kernel broke off.
    var areTablesKnown = false
    /// False if the kernel may have other names than those in force.
    var areNamesKnown = false
    /// Set once `detach` was asked for: the process ends and takes the pins with it.
    private(set) var isDetached = false
    private var onDetach: (@Sendable () -> Void)?

    /// As it stands on disk.
    private var stateFile: StateFile
    private var stateWorkloads: [UInt8] = []
    /// What stands there around the workloads; nil before it was written first.
    private var stateFrame: (head: [UInt8], tail: [UInt8])?
    private var remembered = RememberedWorkloads()
    private let numbers: NumberFiles

    /// Reads the state directory and prepares; the kernel is not touched before `adopt`.
    init(
        configuration: AgentConfiguration, datapath: any DatapathWriting, aggregator: FlowAggregator, logger: Logger
    ) throws(AgentError) {
        self.configuration = configuration
        node = configuration.node
        self.datapath = datapath
        self.aggregator = aggregator
        self.logger = logger
        logRules = LogRuleBoard(configuration.policyLog.rules)
        nameCache = LearntNameCache { try datapath.learntNames() }
        reader = PolicyReader()
        numbers = NumberFiles(configuration)
        let file = try StateStorage.read(StateFile.self, from: configuration.statePath) ?? StateFile()
        guard file.version == StateFile.currentVersion else {
            throw AgentError(
                "cannot read \(configuration.statePath): it is of version \(file.version), this agent knows "
                    + "\(StateFile.currentVersion); use the agent that wrote it, or move it away")
        }
        let (identities, rules) = try numbers.read(olderIdentities: file.identities)
        engine = PolicyEngine(
            identities: identities, rules: rules, options: CompileOptions(allowHost: configuration.allowsHostAccess),
            node: node)
        stateFile = file
        directory = PolicyDirectory(path: configuration.policyDirectory, reader: reader)
        applied = try AppliedPolicies(
            directory: configuration.appliedPolicyDirectory, history: configuration.historyDirectory,
            limits: configuration.historyLimits, reader: reader)
        endpointNumbers = NumberPool(1...65535, restoring: file.endpoints)
        isAudit = file.isAudit ?? configuration.isAudit
        isLockoutForced = file.isLockoutForced ?? false
        arePlaceholdersPoliced = !configuration.startClosed.isEmpty
        auditedWorkloads = Set(file.auditedWorkloads)
        auditedNamespaces = Set(file.auditedNamespaces ?? [])
        if (try? HostClock.bootID()) == file.bootID {
            for remembered in file.workloads {
                sources[remembered.source, default: SourceState()].workloads.append(remembered.workload)
                // Who had an address before the restart has it first after it.
                workloads[remembered.key] = remembered.workload
            }
        }
    }

    /// Names the sources that will report; their remembered workloads are in force until they do.
    func expect(sources names: [String]) {
        for name in names { sources[name, default: SourceState()].isExpected = true }
        // Workloads of a source that is not configured any more are nobody's.
        for name in sources.keys where !names.contains(name) { sources[name] = nil }
    }

    /// Notes that something big went through the heap.
    func noteLooseHeap() { isHeapLoose = true }

    /// True, once, after something big went through the heap.
    func takeLooseHeap() -> Bool {
        defer { isHeapLoose = false }
        return isHeapLoose
    }

    /// When a message about something was first reported.
    func firstSeen(_ subject: String, _ message: String) -> String {
        if let known = firstSeen[subject], known.message == message { return known.since }
        firstSeen[subject] = (message, Timestamp.now())
        return firstSeen[subject]?.since ?? ""
    }

    /// Answers about the shield from now on.
    func use(_ shield: ShieldKeeper) { self.shield = shield }

    /// Takes findings and answers about alerts from now on.
    func use(_ alerts: AlertKeeper, _ responses: ResponseKeeper?) {
        (self.alerts, self.responses) = (alerts, responses)
    }

    func use(_ keeper: SynKeeper) { synKeeper = keeper }

    func use(_ keeper: PolicyLogKeeper) { policyLog = keeper }

    func use(_ board: TellingBoard) { telling = board }

    func use(_ keeper: AttachmentKeeper) { attachmentKeeper = keeper }

    /// Lets go of who acts through this state: they hold it, and it holds the datapath.
    func dismiss() {
        (shield, detection, alerts, responses, synKeeper) = (nil, nil, nil, nil, nil)
        (attachmentKeeper, fleet, policyLog) = (nil, nil, nil)
    }

    func use(_ detection: DetectionKeeper) { self.detection = detection }

    /// Calls back once `detach` was carried out.
    func onDetach(_ body: @escaping @Sendable () -> Void) { onDetach = body }

    /// Ends enforcement: every program off.
    ///
    /// The process should end now.
    func detachAll() throws -> Int {
        var count = 0
        for endpoint in datapath.endpoints() where try datapath.detach(interface: endpoint.interface) { count += 1 }
        isDetached = true
        wakeAttachmentWaiters()
        logger.notice("detached", metadata: ["interfaces": "\(count)"])
        onDetach?()
        return count
    }

    /// Writes numbers down before they can appear in the kernel, and workloads and audit modes as they are; nothing if
    /// it stands there already.
    func persist(
        _ preparation: PolicyEngine.Preparation?, workloads: [String: Workload]
    ) throws(AgentError) {
        guard !configuration.isDryRun else { return }
        var file = stateFile
        file.identities = nil
        file.bootID = (try? HostClock.bootID()) ?? ""
        file.endpoints = endpointNumbers.snapshot
        file.workloads = []
        file.isAudit = isAudit == configuration.isAudit ? nil : isAudit
        file.isLockoutForced = isLockoutForced ? true : nil
        file.auditedWorkloads = auditedWorkloads.sorted()
        file.auditedNamespaces = auditedNamespaces.isEmpty ? nil : auditedNamespaces.sorted()
        try persistNumbers(preparation)
        let json = try remembered.json(of: workloads)
        let isSame = file == stateFile
        guard !isSame || json != stateWorkloads else { return }
        let frame: (head: [UInt8], tail: [UInt8])
        if isSame, let stateFrame { frame = stateFrame } else { frame = try file.encodedAround() }
        try StateStorage.write(bytes: frame.head + json + frame.tail, to: configuration.statePath)
        (stateFile, stateWorkloads, stateFrame) = (file, json, frame)
    }

    /// Writes new numbers down.
    func persistNumbers(_ preparation: PolicyEngine.Preparation?) throws(AgentError) {
        let rules = engine.takeIssuedRules()
        guard !configuration.isDryRun else { return }
        try numbers.note(
            identities: preparation?.issued, rules: rules,
            all: { engine.allocator.snapshot }, allRules: { engine.registry.snapshot })
    }
}

/// What has to be looked at again before the desired state and the one in force are known to be equal.
///
/// A change that is refused stays in here, so that the next one brings it along.
struct Unsettled: Sendable {
    var policies: Set<PolicyReference> = []
    var remotes = RemoteDelta()
    /// Workloads and host addresses.
    var areWorkloadsTouched = true
}

/// What one source last said.
struct SourceState: Sendable {
    var workloads: [Workload] = []
    /// False until it has reported once; until then its remembered workloads stand.
    var isExpected = false
    var hasReported = false
    var state = "waiting"
    var location = ""
}

/// Counts and times of commits, for `status`.
struct CommitLog: Sendable {
    var made = 0
    var refused = 0
    var lastAt: String?
    /// Since 1970.
    var lastSeconds: Double?
    var lastDuration: Duration?
    /// How long commits took, in seconds.
    var durations = Histogram(bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])

    /// Notes one that came into force.
    mutating func noteMade(took duration: Duration) {
        made += 1
        lastAt = Timestamp.now()
        lastSeconds = Double(Timestamp.nanosecondsNow()) / 1e9
        lastDuration = duration
        durations.observe(duration.seconds)
    }
}
