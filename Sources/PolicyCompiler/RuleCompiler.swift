// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel
import PolicyModel

/// Compiles policies, subjects and peers into the content of the policy tables, and follows changes of any of them.
///
/// A change costs what it changes: a rule adds or takes away its own contributions, nothing else is looked at. After
/// any number of changes `takeChanges` says what became of the tables. Not thread-safe: one owner.
///
/// If `takeChanges`' result cannot be put in force, put `mapState()` in force once the cause is gone.
package final class RuleCompiler {
    package let options: CompileOptions
    package internal(set) var registry: RuleRegistry

    var policies: [PolicyReference: CompiledPolicy] = [:]
    var subjects: [UInt16: CompileSubject] = [:]
    var peers: [UInt32: ResolvedIdentity] = [:]
    var subjectIndex = LabelIndex<SubjectUser>()
    var peerIndex = LabelIndex<CompiledRule>()
    var prefixIndex = PrefixIndex<CompiledRule>()
    /// Addresses and workloads that are in groups, and names that groups have: a rule means the ones or the others.
    var groupIndex = GroupIndex<CompiledRule>()
    var groupNameIndex = GroupIndex<CompiledRule>()
    var nameIndex = NameIndex<CompiledRule>()
    /// Rules that ask any peer for a port by name.
    var portNameIndex = PortNameIndex<CompiledRule>()
    /// By slot: every tier of a subject has its own.
    var cells: [UInt16: SubjectCells] = [:]
    var ranks = TierRanks()
    var tiers = TierRegister()
    /// Policies in whose place others are rehearsed.
    var replaced: Set<PolicyReference> = []
    /// Peers that are the host itself, or the host inside a prefix.
    var hostPeers: Set<UInt32> = []

    /// The rules that hold numbers; of one that was replaced the latest version.
    var rulesBySlot = [CompiledRule?](repeating: nil, count: Int(RuleRegistry.slotRange.upperBound) + 1)
    /// The input of the last `update(to:)`, unless something was changed singly since.
    var lastInput: CompileInput?

    /// What was in force at the last `takeChanges`, for every slot touched since.
    var journal: [UInt16: SlotJournal] = [:]
    var touchedSubjects: Set<UInt16> = []
    var publishedSubjects: [UInt16: SubjectState] = [:]
    var publishedRules: [UInt32: RuleDescription] = [:]
    var touchedSlots: Set<UInt32> = Set(RuleRegistry.builtins.keys)
    /// By slot and direction: what default deny is attributed to, and for which peers the host's access was written.
    var defaultDenies: [UInt16: [RuleDescription?]] = [:]
    var openedHostPeers: [UInt16: HostAccess] = [:]

    package init(options: CompileOptions = CompileOptions(), registry: RuleRegistry = RuleRegistry()) {
        self.options = options
        self.registry = registry
    }

    /// Compiles from nothing.
    ///
    /// Pure but for `registry`, which makes rule slots stable from one call to the next.
    package static func compile(
        _ input: CompileInput, registry: inout RuleRegistry, workloadAddresses: [IPAddress] = []
    ) -> CompileOutput {
        let compiler = RuleCompiler(options: input.options, registry: registry)
        compiler.update(to: input)
        let output = CompileOutput(
            state: compiler.mapState(), diagnostics: compiler.diagnostics(workloadAddresses: workloadAddresses))
        registry = compiler.registry
        return output
    }

    /// What `update(to:)` would bring, with the numbers and ranks that it would take, leaving this compiler alone.
    package func compileAside(_ input: CompileInput, workloadAddresses: [IPAddress] = []) -> CompileOutput {
        let aside = RuleCompiler(options: options, registry: registry)
        aside.ranks = ranks
        let kept = Set(input.policies.map(\.reference))
        _ = aside.ranks.replace(ranks.references.filter { !kept.contains($0) }.map { ($0, nil) })
        aside.update(to: input)
        return CompileOutput(
            state: aside.mapState(), diagnostics: aside.diagnostics(workloadAddresses: workloadAddresses))
    }

    /// Brings everything to the state of `input`, changing only what differs.
    ///
    /// References, slots and identities must be unique, and `input.options` this object's. Cheapest if lists keep their
    /// order and policies that did not change are the same values.
    package func update(to input: CompileInput) {
        precondition(input.options == options, "options are fixed when the compiler is made")
        // Arrays that share storage compare equal at once, so what was not touched costs next to nothing.
        let last = lastInput ?? currentInput()
        let policyWindow = ChangedWindow(from: last.policies, to: input.policies, by: ==)
        let subjectWindow = ChangedWindow(from: last.subjects, to: input.subjects, by: ==)
        let peerWindow = ChangedWindow(from: last.peers, to: input.peers, by: ==)
        let keptPolicies = Set(policyWindow.new.map(\.reference))
        let keptSubjects = Set(subjectWindow.new.map(\.slot))
        let keptPeers = Set(peerWindow.new.map(\.identity))
        for policy in policyWindow.old where !keptPolicies.contains(policy.reference) {
            removePolicy(policy.reference)
        }
        for subject in subjectWindow.old where !keptSubjects.contains(subject.slot) { removeSubject(subject.slot) }
        for peer in peerWindow.old where !keptPeers.contains(peer.identity) { removePeer(peer.identity) }
        for peer in peerWindow.new { setPeer(peer) }
        for subject in subjectWindow.new { setSubject(subject) }
        // In order, so that sorted sets of policies grow at their end.
        setPolicies(
            policyWindow.new.filter { policies[$0.reference]?.policy != $0 }.sorted { $0.reference < $1.reference })
        lastInput = input
    }

    private func currentInput() -> CompileInput {
        CompileInput(
            subjects: Array(subjects.values), peers: Array(peers.values), policies: policies.values.map(\.policy),
            options: options)
    }

    /// The rule numbers given out since the last call; nil if none was.
    package func takeIssuedRules() -> RuleRegistry.Snapshot? { registry.takeIssued() }

    /// The complete state: policy entries, subjects and rules, without the ipcache.
    package func mapState() -> MapState {
        settleSubjects()
        var state = MapState()
        state.policy.reserveCapacity(cells.values.reduce(0) { $0 + $1.first.count })
        for (slot, subjectCells) in cells {
            for (key, first) in subjectCells.first {
                state.policy[key.key(in: slot)] = subjectCells.value(of: key, first, precedes: precedes)
            }
        }
        for subject in subjects.keys {
            for slot in slots(of: subject) { state.subjects[slot] = subjectState(slot) }
        }
        state.rules = registry.descriptions
        return state
    }

    /// Whether enforced policies close a direction for a subject, in any of its tiers, as of the last `takeChanges`.
    package func isClosed(_ subject: UInt16, _ direction: Direction) -> Bool {
        slots(of: subject).contains { publishedSubjects[$0]?.defaultDeny[Int(direction.rawValue)] ?? false }
    }

    /// Says that policies are in more tiers than the tables have room for; those that found none are not compiled.
    package var tierProblem: String? { tiers.line.problem }

    /// What changed in the tables since the last call.
    package func takeChanges() -> MapChanges {
        settleSubjects()
        var changes = MapChanges()
        for (slot, slotJournal) in journal {
            slotJournal.append(to: &changes, slot: slot, now: cells[slot], precedes: precedes)
        }
        journal.removeAll()
        for slot in touchedSubjects {
            let new = subjectState(slot)
            if new == publishedSubjects[slot] { continue }
            publishedSubjects[slot] = new
            if let new { changes.subjectSettings[slot] = new } else { changes.subjectRemovals.append(slot) }
        }
        touchedSubjects.removeAll()
        for slot in touchedSlots {
            let new = registry.descriptions[slot]
            if new == publishedRules[slot] { continue }
            publishedRules[slot] = new
            if let new { changes.ruleSettings[slot] = new } else { changes.ruleRemovals.append(slot) }
        }
        touchedSlots.removeAll()
        return changes
    }

    /// Which of two equally strong rules is named: the one whose policy, section and position come first.
    func precedes(_ a: UInt32, _ b: UInt32) -> Bool {
        guard let first = rulesBySlot[Int(a)], let second = rulesBySlot[Int(b)] else {
            return rulesBySlot[Int(a)] != nil || a < b
        }
        return first.precedes(second)
    }
}
