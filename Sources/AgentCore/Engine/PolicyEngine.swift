// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler
import PolicyModel

/// What the tables depend on.
struct EngineInput: Sendable {
    /// By key.
    var workloads: [String: Workload] = [:]
    var hostAddresses: [IPAddress] = []
    var hostLabels: [Label] = []
    var policies: [PolicyReference: Policy] = [:]
}

/// Turns workloads and policies into identities and table content, step by step.
///
/// No I/O, no clock; one owner.
///
/// `prepare` works out what a new input changes; then either `accept` (it is in force) or `rollBack` (it is not: the
/// engine is where it was before).
final class PolicyEngine {
    private(set) var allocator: IdentityAllocator
    private var compiler: RuleCompiler
    private(set) var input = EngineInput()
    private let options: CompileOptions

    /// What is prepared but not accepted.
    private var pending: (input: EngineInput, allocator: IdentityAllocator)?
    /// Subjects that no workload uses any more but that the kernel's endpoint records may still name.
    private var retiredSubjects: Set<UInt16> = []

    init(identities: IdentityAllocator.Snapshot, rules: RuleRegistry.Snapshot, options: CompileOptions) {
        allocator = IdentityAllocator(restoring: identities)
        compiler = RuleCompiler(options: options, registry: RuleRegistry(rules))
        self.options = options
    }

    var registry: RuleRegistry { compiler.registry }

    /// The complete state that is prepared or in force.
    func completeState() -> MapState {
        var state = compiler.mapState()
        state.ipcache = (pending?.allocator ?? allocator).mappings
        return state
    }

    /// What `prepare` found.
    struct Preparation {
        var changes: MapChanges
        /// True if numbers of identities or subjects may have been given out.
        var touchesIdentities: Bool
        /// Of the prepared state.
        var allocator: IdentityAllocator
    }

    /// Works out what `next` changes.
    ///
    /// Throws, and is where it was before, if numbers run out.
    func prepare(_ next: EngineInput) throws -> Preparation {
        var allocator = self.allocator
        try PolicyEngine.bring(&allocator, from: input, to: next)
        let identityChanges = try allocator.settle()
        pending = (next, allocator)
        apply(identityChanges, subjects: allocator.subjects, policiesFrom: input.policies, to: next.policies)
        var changes = compiler.takeChanges()
        changes.mappingRemovals = identityChanges.mappingRemovals
        changes.mappingSettings = identityChanges.mappingSettings.map { .init(prefix: $0.key, identity: $0.value) }
        return Preparation(
            changes: changes, touchesIdentities: !identityChanges.isEmpty || !changes.subjectSettings.isEmpty,
            allocator: allocator)
    }

    /// What was prepared is in force.
    func accept() {
        guard let pending else { return }
        input = pending.input
        allocator = pending.allocator
        self.pending = nil
    }

    /// What was prepared is not in force: the compiler goes back to the accepted input.
    func rollBack() {
        guard pending != nil else { return }
        pending = nil
        compiler.update(to: compileInput(allocator, policies: input.policies))
        _ = compiler.takeChanges()
    }

    /// Removes subjects that nothing names any more; call when the endpoint records are up to date.
    func dropRetiredSubjects() -> MapChanges {
        for slot in retiredSubjects { compiler.removeSubject(slot) }
        retiredSubjects = []
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

    /// Compiles another input from nothing, leaving this engine alone: for dry runs.
    func compileAside(_ next: EngineInput) throws -> Aside {
        var allocator = self.allocator
        try PolicyEngine.bring(&allocator, from: input, to: next)
        _ = try allocator.settle()
        var registry = compiler.registry
        let input = compileInput(allocator, policies: next.policies)
        var output = RuleCompiler.compile(input, registry: &registry)
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
        _ allocator: inout IdentityAllocator, from old: EngineInput, to new: EngineInput
    ) throws {
        for (reference, policy) in new.policies where old.policies[reference] != policy {
            for use in policy.prefixes {
                try allocator.usePrefix(use.prefix, includesWorkloads: use.includesWorkloads)
            }
        }
        for (reference, policy) in old.policies where new.policies[reference] != policy {
            for use in policy.prefixes {
                allocator.releasePrefix(use.prefix, includesWorkloads: use.includesWorkloads)
            }
        }
        allocator.setHost(labels: new.hostLabels, addresses: new.hostAddresses)
        // In order, so that the same workloads get the same numbers.
        for workload in new.workloads.values.sorted(by: { $0.key < $1.key }) {
            try allocator.setEndpoint(
                workload.key,
                .init(
                    labels: workload.labels, addresses: workload.addresses.sorted(), namedPorts: workload.namedPorts,
                    isHost: workload.isHost))
        }
        for key in old.workloads.keys where new.workloads[key] == nil { allocator.removeEndpoint(key) }
    }

    private func apply(
        _ changes: IdentityChanges, subjects: [UInt16: IdentityAllocator.SubjectKey],
        policiesFrom old: [PolicyReference: Policy], to new: [PolicyReference: Policy]
    ) {
        for identity in changes.recordRemovals { compiler.removePeer(identity) }
        for record in changes.recordSettings { compiler.setPeer(record) }
        retire(subjects)
        for subject in PolicyEngine.subjects(pending?.allocator ?? allocator) { compiler.setSubject(subject) }
        for reference in old.keys where new[reference] == nil { compiler.removePolicy(reference) }
        let changed = new.values.filter { old[$0.reference] != $0 }
        for policy in changed.sorted(by: { $0.reference < $1.reference }) { compiler.setPolicy(policy) }
    }

    /// Subjects of the accepted state that the new one lacks stay until the endpoint records are up to date.
    private func retire(_ subjects: [UInt16: IdentityAllocator.SubjectKey]) {
        retiredSubjects.formUnion(allocator.subjects.keys)
        retiredSubjects.subtract(subjects.keys)
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
