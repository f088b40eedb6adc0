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

    /// What is prepared but not accepted.
    private var pending: Pending?
    /// Subjects that no workload uses any more but that the kernel's endpoint records may still name, by slot.
    private var retiredSubjects: [UInt16: CompileSubject] = [:]

    private struct Pending {
        var change: EngineChange
        var allocator: IdentityAllocator
        /// Those of the accepted state.
        var retiredSubjects: [UInt16: CompileSubject]
    }

    init(identities: IdentityAllocator.Snapshot, rules: RuleRegistry.Snapshot, options: CompileOptions) {
        allocator = IdentityAllocator(restoring: identities)
        compiler = RuleCompiler(options: options, registry: RuleRegistry(rules))
        self.options = options
    }

    var registry: RuleRegistry { compiler.registry }

    /// The rule numbers given out since the last call; nil: none.
    func takeIssuedRules() -> RuleRegistry.Snapshot? { compiler.takeIssuedRules() }

    /// The complete state that is prepared or in force.
    func completeState() -> MapState {
        var state = compiler.mapState()
        state.ipcache = (pending?.allocator ?? allocator).mappings
        return state
    }

    /// What `prepare` found.
    struct Preparation {
        var changes: MapChanges
        /// Identities that are new or mean something else.
        var identities: [ResolvedIdentity]
        /// Numbers of identities and subjects that are not on disk; nil: none.
        var issued: IdentityAllocator.Snapshot?
        /// Of the prepared state.
        var allocator: IdentityAllocator
    }

    /// Works out what a change of the input means.
    ///
    /// Throws, and is where it was before, if numbers run out.
    func prepare(_ change: EngineChange) throws -> Preparation {
        var allocator = self.allocator
        try PolicyEngine.bring(&allocator, from: input, change)
        let identityChanges = try allocator.settle()
        let issued = allocator.takeIssued()
        pending = Pending(change: change, allocator: allocator, retiredSubjects: retiredSubjects)
        apply(change, identityChanges, allocator)
        if let problem = compiler.tierProblem {
            rollBack()
            throw AgentError(problem)
        }
        var changes = compiler.takeChanges()
        changes.mappingRemovals = identityChanges.mappingRemovals
        changes.mappingSettings = identityChanges.mappingSettings.map { .init(prefix: $0.key, identity: $0.value) }
        return Preparation(
            changes: changes, identities: identityChanges.recordSettings, issued: issued, allocator: allocator)
    }

    /// Slots of the host's and its services' subjects in the prepared state.
    var preparedHostSubjects: Set<UInt16> {
        Set((pending?.allocator ?? allocator).subjects.filter(\.value.isHost).keys)
    }

    /// What was prepared is in force.
    func accept() {
        guard let pending else { return }
        input.apply(pending.change)
        allocator = pending.allocator
        self.pending = nil
    }

    /// What was prepared is not in force: the compiler goes back to the accepted input.
    ///
    /// Subjects that had retired before stay retired, and in the tables; those of the accepted state are in use again.
    func rollBack() {
        guard let pending else { return }
        self.pending = nil
        retiredSubjects = pending.retiredSubjects
        var accepted = compileInput(allocator, policies: input.policies)
        accepted.subjects += retiredSubjects.values
        compiler.update(to: accepted)
        _ = compiler.takeChanges()
    }

    /// Removes subjects that nothing names any more; call when the endpoint records are up to date.
    func dropRetiredSubjects() -> MapChanges {
        for slot in retiredSubjects.keys { compiler.removeSubject(slot) }
        retiredSubjects = [:]
        return compiler.takeChanges()
    }

    /// A complete state, what is to be said of it, and what its numbers stand for.
    struct Aside {
        var state: MapState
        var diagnostics: [RuleDiagnostic]
        var subjects: [CompileSubject]
        var identities: [ResolvedIdentity]

        func legend(_ legend: MapLegend) -> [String] { legend.lines(subjects: subjects, identities: identities) }
    }

    /// Compiles the input with a change from nothing, leaving this engine alone: for dry runs.
    func compileAside(_ change: EngineChange) throws -> Aside {
        var allocator = self.allocator
        try PolicyEngine.bring(&allocator, from: input, change)
        var next = input
        next.apply(change)
        _ = try allocator.settle()
        var registry = compiler.registry
        let input = compileInput(allocator, policies: next.policies)
        let addresses = next.workloads.values.flatMap(\.addresses)
        var output = RuleCompiler.compile(input, registry: &registry, workloadAddresses: addresses)
        output.state.ipcache = allocator.mappings
        return Aside(
            state: output.state, diagnostics: output.diagnostics, subjects: input.subjects, identities: input.peers)
    }

    /// What is in force, in the form of a compilation aside.
    func inForce() -> Aside {
        Aside(
            state: completeState(), diagnostics: diagnostics(), subjects: PolicyEngine.subjects(allocator),
            identities: Array(allocator.records.values))
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
        if change.hostLabels != nil || change.hostAddresses != nil {
            allocator.setHost(
                labels: change.hostLabels ?? input.hostLabels, addresses: change.hostAddresses ?? input.hostAddresses)
        }
        guard let workloads = change.workloads else { return }
        // In order, so that the same workloads get the same numbers.
        for workload in workloads.values.sorted(by: { $0.key < $1.key }) where input.workloads[workload.key] != workload
        {
            try allocator.setEndpoint(
                workload.key,
                .init(
                    labels: workload.labels, addresses: workload.addresses.sorted(), namedPorts: workload.namedPorts,
                    isHost: workload.isHost))
        }
        for key in input.workloads.keys where workloads[key] == nil { allocator.removeEndpoint(key) }
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
            if let new { allocator.useGroup(new) }
            if let old { allocator.releaseGroup(old) }
        }
        for use in released { allocator.releasePrefix(use.prefix, includesWorkloads: use.includesWorkloads) }
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

    private func apply(_ change: EngineChange, _ identities: IdentityChanges, _ next: IdentityAllocator) {
        for identity in identities.recordRemovals { compiler.removePeer(identity) }
        for record in identities.recordSettings { compiler.setPeer(record) }
        if change.workloads != nil {
            retire(next.subjects)
            for subject in PolicyEngine.subjects(next) { compiler.setSubject(subject) }
        }
        for reference in change.policies.removals { compiler.removePolicy(reference) }
        for (_, policy) in change.policies.settings.sorted(by: { $0.key < $1.key }) { compiler.setPolicy(policy) }
    }

    /// Subjects of the accepted state that the new one lacks stay until the endpoint records are up to date.
    private func retire(_ subjects: [UInt16: IdentityAllocator.SubjectKey]) {
        for subject in PolicyEngine.subjects(allocator) { retiredSubjects[subject.slot] = subject }
        for slot in subjects.keys { retiredSubjects[slot] = nil }
    }

    private static func subjects(_ allocator: IdentityAllocator) -> [CompileSubject] {
        // Any endpoint of the subject tells its identity: they share labels.
        let identities = Dictionary(allocator.assignments.values.map { ($0.subject, $0.identity) }) { first, _ in first
        }
        return allocator.subjects.map { slot, key in
            CompileSubject(
                slot: slot, identity: identities[slot] ?? .unmanaged, labels: key.labels, isHost: key.isHost,
                namedPorts: key.namedPorts)
        }
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
