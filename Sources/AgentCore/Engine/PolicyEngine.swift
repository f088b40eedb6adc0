// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler
import PolicyModel

/// Turns workloads and policies into identities and table content, step by step.
///
/// No I/O, no clock; one owner.
///
/// `prepare` works out what a change of the input means; then either `accept` (it is in force) or `rollBack` (it is not:
/// the engine is where it was before). A change costs what it names: nobody here looks at all policies because one of
/// them is another one now.
final class PolicyEngine {
    private(set) var allocator: IdentityAllocator
    private var compiler: RuleCompiler
    private(set) var input = EngineInput()
    private let options: CompileOptions
    /// The host's name, by which documents mean it.
    let node: String

    /// What is prepared but not accepted.
    private var pending: Pending?
    private var retired = RetiredSubjects()

    private struct Pending {
        var change: EngineChange
        /// Those of the accepted state.
        var retired: RetiredSubjects
    }

    /// Subjects that no workload uses any more, by slot.
    private struct RetiredSubjects {
        /// Those that the kernel's endpoint records may still name.
        var named: [UInt16: CompileSubject] = [:]
        /// Those that nothing names: their entries go with the next change.
        var unnamed: [UInt16: CompileSubject] = [:]

        var all: [CompileSubject] { Array(named.values) + unnamed.values }
    }

    init(
        identities: IdentityAllocator.Snapshot, rules: RuleRegistry.Snapshot, options: CompileOptions, node: String = ""
    ) {
        allocator = IdentityAllocator(restoring: identities)
        compiler = RuleCompiler(options: options, registry: RuleRegistry(rules))
        self.options = options
        self.node = node
        input.grants = EndpointGrants(of: [], node: node)
    }

    var registry: RuleRegistry { compiler.registry }

    /// Whether enforced policies close a direction for a subject.
    func isClosed(_ subject: UInt16, _ direction: Direction) -> Bool { compiler.isClosed(subject, direction) }

    /// The workloads of other hosts that are in force, by key, without what documents give them.
    var remotes: [String: RemoteWorkload] {
        allocator.endpoints.compactMapValues(\.remote).merging(input.givenRemotes) { $1 }
    }

    /// The same of one source, in no order.
    func remotes(keysWith prefix: String) -> [(key: String, workload: RemoteWorkload)] {
        allocator.endpoints.compactMap { key, endpoint in
            guard endpoint.isRemote, key.hasPrefix(prefix) else { return nil }
            return (input.givenRemotes[key] ?? endpoint.remote).map { (key, $0) }
        }
    }

    /// How many of them come from one source.
    func countRemotes(keysWith prefix: String) -> Int {
        allocator.endpoints.count { $0.value.isRemote && $0.key.hasPrefix(prefix) }
    }

    /// The addresses that workloads of other hosts have which a change names, by key.
    func addresses(ofRemotes change: RemoteDelta) -> [String: [IPAddress]] {
        var addresses: [String: [IPAddress]] = [:]
        for key in change.keys { addresses[key] = allocator.endpoints[key]?.addresses }
        return addresses
    }

    /// The rule numbers given out since the last call; nil: none.
    func takeIssuedRules() -> RuleRegistry.Snapshot? { compiler.takeIssuedRules() }

    /// The complete state that is prepared or in force.
    func completeState() -> MapState {
        var state = compiler.mapState()
        state.ipcache = allocator.mappings
        return state
    }

    /// What `prepare` found.
    struct Preparation {
        var changes: MapChanges
        /// Identities that are new or mean something else.
        var identities: [ResolvedIdentity]
        /// Numbers of identities and subjects that are not on disk; nil: none.
        var issued: IdentityAllocator.Snapshot?
        /// True if a DNS name begins to have a number or has none any more.
        var areNamesOthers: Bool
        /// Names that have none any more, with what they had.
        var formerNames: [NameSelector: NumericIdentity]
    }

    /// The host's labels with what documents give it.
    var hostLabels: [Label] { PolicyEngine.hostLabels(input.hostLabels, input.grants) }

    /// The same after a change.
    func hostLabels(after change: EngineChange) -> [Label] {
        PolicyEngine.hostLabels(change.hostLabels ?? input.hostLabels, granting(change).grants ?? input.grants)
    }

    /// Works out what a change of the input means.
    ///
    /// Throws, and is where it was before, if numbers run out.
    func prepare(_ ungranted: EngineChange) throws -> Preparation {
        let change = granting(ungranted)
        allocator.revise(.begin)
        let identities: IdentityChanges
        do {
            try PolicyEngine.bring(&allocator, from: input, change)
            identities = try allocator.settle()
        } catch {
            allocator.revise(.revert)
            throw error
        }
        let issued = allocator.takeIssued()
        pending = Pending(change: change, retired: retired)
        apply(change, identities)
        if let problem = compiler.tierProblem {
            rollBack()
            throw AgentError(problem)
        }
        var changes = compiler.takeChanges()
        changes.mappingRemovals = identities.mappingRemovals
        changes.mappingSettings = identities.mappingSettings.map { .init(prefix: $0.key, identity: $0.value) }
        return Preparation(
            changes: changes, identities: identities.recordSettings, issued: issued,
            areNamesOthers: !identities.nameSettings.isEmpty || !identities.nameRemovals.isEmpty,
            formerNames: identities.nameRemovals)
    }

    /// Slots of the host's and its services' subjects in the prepared state.
    var preparedHostSubjects: Set<UInt16> {
        Set(allocator.subjects.filter { $0.value.isHost && HostStage($0.value.labels) == nil }.keys)
    }

    /// Slots of the host's stages that policies are about.
    var stageSubjects: [HostStage: UInt16] {
        HostStage.allCases.reduce(into: [:]) { $0[$1] = allocator.assignments[$1.endpointName]?.subject }
    }

    /// What was prepared is in force.
    func accept() {
        guard let pending else { return }
        input.apply(pending.change)
        allocator.revise(.keep)
        compiler.keepRanks()
        self.pending = nil
    }

    /// What was prepared is not in force: the compiler goes back to the accepted input.
    ///
    /// Subjects that had retired before stay retired, and in the tables; those of the accepted state are in use again.
    func rollBack() {
        guard let pending else { return }
        self.pending = nil
        retired = pending.retired
        allocator.revise(.revert)
        var accepted = compileInput(allocator, policies: input.policies)
        accepted.subjects += retired.all
        compiler.revertRanks()
        compiler.update(to: accepted)
        _ = compiler.takeChanges()
    }

    /// Nothing names the subjects that have retired so far: the next change takes them along.
    ///
    /// Call when the endpoint records are up to date.
    func releaseRetiredSubjects() {
        retired.unnamed.merge(retired.named) { $1 }
        retired.named = [:]
    }

    /// Removes subjects that nothing names any more, if no change has come that takes them along.
    func dropUnnamedSubjects() -> MapChanges {
        removeUnnamedSubjects()
        return compiler.takeChanges()
    }

    private func removeUnnamedSubjects() {
        for slot in retired.unnamed.keys { compiler.removeSubject(slot) }
        retired.unnamed = [:]
    }

    /// A complete state, what is to be said of it, and what its numbers stand for.
    struct Aside {
        var state: MapState
        var diagnostics: [RuleDiagnostic]
        var subjects: [CompileSubject]
        var identities: [ResolvedIdentity]
        var names: NameWording

        func legend(_ legend: MapLegend) -> [String] {
            legend.lines(subjects: subjects, identities: identities, names: names)
        }
    }

    /// Compiles the input with a change from nothing, leaving this engine alone: for dry runs.
    func compileAside(_ ungranted: EngineChange) throws -> Aside {
        let change = granting(ungranted)
        var allocator = self.allocator
        try PolicyEngine.bring(&allocator, from: input, change)
        var next = input
        next.apply(change)
        _ = try allocator.settle()
        let input = compileInput(allocator, policies: next.policies)
        let addresses = next.workloads.values.flatMap(\.addresses)
        var output = compiler.compileAside(input, workloadAddresses: addresses)
        output.state.ipcache = allocator.mappings
        return Aside(
            state: output.state, diagnostics: output.diagnostics, subjects: input.subjects, identities: input.peers,
            names: NameWording(next.policies.values))
    }

    /// What is in force, in the form of a compilation aside.
    func inForce() -> Aside {
        Aside(
            state: completeState(), diagnostics: diagnostics(), subjects: PolicyEngine.subjects(allocator),
            identities: Array(allocator.records.values), names: NameWording(input.policies.values))
    }

    /// Rules in force whose ports by name are nobody's, or ambiguous.
    func portNameDiagnostics() -> [RuleDiagnostic] { compiler.portNameDiagnostics() }

    /// Lint findings about the policies in force.
    func diagnostics() -> [RuleDiagnostic] {
        compiler.diagnostics(workloadAddresses: input.workloads.values.flatMap(\.addresses))
    }
}

extension PolicyEngine {
    private static func bring(
        _ allocator: inout IdentityAllocator, from input: EngineInput, _ change: EngineChange
    ) throws {
        try bringPrefixes(&allocator, from: input, change.policies)
        try bringNames(&allocator, from: input, change.policies)
        if change.hostLabels != nil || change.hostAddresses != nil || change.grants != nil {
            allocator.setHost(
                labels: hostLabels(change.hostLabels ?? input.hostLabels, change.grants ?? input.grants),
                addresses: change.hostAddresses ?? input.hostAddresses)
        }
        // In order, so that the same workloads get the same numbers.
        for (key, remote) in change.remotes.settings.sorted(by: { $0.key < $1.key }) {
            try allocator.setEndpoint(key, .init(remote))
        }
        for key in change.remotes.removals { allocator.removeEndpoint(key) }
        try bringStages(&allocator, from: input, change)
        guard let workloads = change.workloads else { return }
        let others = workloads.values.filter { input.workloads[$0.key] != $0 }
        for workload in others.sorted(by: { $0.key < $1.key }) {
            try allocator.setEndpoint(
                workload.key,
                .init(
                    labels: workload.labels, addresses: workload.addresses.sorted(), namedPorts: workload.namedPorts,
                    isHost: workload.isHost))
        }
        for key in input.workloads.keys where workloads[key] == nil { allocator.removeEndpoint(key) }
    }

    /// The host's stages that policies are about are subjects like the host, which is one where it is an endpoint.
    private static func bringStages(
        _ allocator: inout IdentityAllocator, from input: EngineInput, _ change: EngineChange
    ) throws {
        let stages = input.stages(after: change.policies)
        guard change.workloads != nil || stages != input.stages else { return }
        let host = (change.workloads ?? input.workloads).values.first { $0.isHost && !$0.isService }
        for stage in HostStage.allCases {
            guard stages.contains(stage), let host else {
                allocator.removeEndpoint(stage.endpointName)
                continue
            }
            let labels = LabelSet(host.labels.labels + [stage.marker])
            try allocator.setEndpoint(stage.endpointName, .init(labels: labels, addresses: [], isHost: true))
        }
    }

    private static func hostLabels(_ own: [Label], _ grants: EndpointGrants) -> [Label] {
        grants.isEmpty ? own : grants.applied(labels: LabelSet(own), isHost: true).labels.labels
    }

    /// New uses first, so that what is used before and after keeps its number; what stays is left alone.
    private static func bringPrefixes(
        _ allocator: inout IdentityAllocator, from input: EngineInput, _ policies: PolicyDelta
    ) throws {
        var released: [PolicyPrefix] = []
        for reference in policies.references.sorted() {
            let old = input.policies[reference]?.prefixes ?? [], new = policies[reference]?.prefixes ?? []
            released += old.subtracting(new)
            for use in new.subtracting(old) {
                try allocator.usePrefix(use.prefix, includesWorkloads: use.includesWorkloads)
            }
        }
        for reference in policies.references.sorted() {
            let old = input.policies[reference]?.prefixGroup, new = policies[reference]?.prefixGroup
            guard old != new else { continue }
            // Of a long list that changes a little, only what changes is looked at.
            let isSameGroup = old?.labels == new?.labels && old?.includesWorkloads == new?.includesWorkloads
            let prefixes = PolicyEngine.difference(old?.prefixes ?? [], new?.prefixes ?? [], isSameGroup)
            let names = PolicyEngine.difference(old?.names ?? [], new?.names ?? [], isSameGroup)
            if let new { allocator.useGroup(new.with(prefixes.come, names.come)) }
            if let old { allocator.releaseGroup(old.with(prefixes.gone, names.gone)) }
        }
        for use in released { allocator.releasePrefix(use.prefix, includesWorkloads: use.includesWorkloads) }
    }

    /// What a list of a group loses and gains; both are sorted, and nothing of what they share is touched.
    private static func difference<Element: Comparable>(
        _ old: [Element], _ new: [Element], _ isSameGroup: Bool
    ) -> (gone: [Element], come: [Element]) {
        guard isSameGroup else { return (old, new) }
        var (gone, come): ([Element], [Element]) = ([], [])
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if j == new.count || i < old.count && old[i] < new[j] {
                gone.append(old[i])
                i += 1
            } else if i == old.count || new[j] < old[i] {
                come.append(new[j])
                j += 1
            } else {
                (i, j) = (i + 1, j + 1)
            }
        }
        return (gone, come)
    }

    private static func bringNames(
        _ allocator: inout IdentityAllocator, from input: EngineInput, _ policies: PolicyDelta
    ) throws {
        var released: [NameSelector] = []
        for reference in policies.references.sorted() {
            let old = input.policies[reference]?.names ?? [], new = policies[reference]?.names ?? []
            released += old.subtracting(new)
            for name in new.subtracting(old).sorted() { try allocator.useName(name) }
        }
        for name in released { allocator.releaseName(name) }
    }

    private func apply(_ change: EngineChange, _ identities: IdentityChanges) {
        removeUnnamedSubjects()
        for identity in identities.recordRemovals { compiler.removePeer(identity) }
        for record in identities.recordSettings { compiler.setPeer(record) }
        // A subject that nobody is any more stays until the endpoint records are up to date.
        for subject in identities.subjectRemovals { retired.named[subject.slot] = CompileSubject(subject) }
        for subject in identities.subjectSettings {
            retired.named[subject.slot] = nil
            compiler.setSubject(CompileSubject(subject))
        }
        for reference in change.policies.removals { compiler.removePolicy(reference) }
        compiler.setPolicies(change.policies.settings.values.sorted { $0.reference < $1.reference })
    }

    private static func subjects(_ allocator: IdentityAllocator) -> [CompileSubject] {
        allocator.subjects.keys.compactMap { allocator.subject(in: $0).map(CompileSubject.init) }
    }

    private func compileInput(
        _ allocator: IdentityAllocator, policies: [PolicyReference: Policy]
    ) -> CompileInput {
        CompileInput(
            subjects: PolicyEngine.subjects(allocator),
            peers: Array(allocator.records.values),
            policies: policies.values.sorted { $0.reference < $1.reference }, options: options)
    }
}

extension HostStage {
    /// As the allocator knows it: behind the host, whose labels are those of its identity.
    fileprivate var endpointName: String { "host stage \(rawValue)" }
}

extension CompileSubject {
    fileprivate init(_ subject: IdentityAllocator.Subject) {
        self.init(
            slot: subject.slot, identity: subject.identity, labels: subject.key.labels, isHost: subject.key.isHost,
            namedPorts: subject.key.namedPorts)
    }
}

extension PrefixGroup {
    /// The same group with a part of its prefixes and names.
    fileprivate func with(_ prefixes: [CIDR], _ names: [NameSelector]) -> PrefixGroup {
        var part = self
        part.prefixes = prefixes
        part.names = names
        return part
    }
}
