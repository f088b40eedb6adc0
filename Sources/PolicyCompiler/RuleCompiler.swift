// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
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
    var peers: [UInt32: CompilePeer] = [:]
    var subjectIndex = LabelIndex<SubjectUser>()
    var peerIndex = LabelIndex<CompiledRule>()
    var prefixIndex = PrefixIndex<CompiledRule>()
    var cells: [UInt16: SubjectCells] = [:]
    /// Peers that are the host itself, or the host inside a prefix.
    var hostPeers: Set<UInt32> = []

    /// What was in force at the last `takeChanges`, for everything touched since.
    var journal: [PolicyKey: PolicyValue?] = [:]
    var touchedSubjects: Set<UInt16> = []
    var publishedSubjects: [UInt16: SubjectState] = [:]
    var publishedRules: [UInt32: RuleDescription] = [:]
    var touchedSlots: Set<UInt32> = Set(RuleRegistry.builtins.keys)
    /// By subject and direction: what default deny is attributed to, and whether the host's access was written.
    var defaultDenies: [UInt16: [RuleDescription?]] = [:]
    var openedHostPeers: [UInt16: Set<UInt32>] = [:]

    package init(options: CompileOptions = CompileOptions(), registry: RuleRegistry = RuleRegistry()) {
        self.options = options
        self.registry = registry
    }

    /// Compiles from nothing.
    ///
    /// Pure but for `registry`, which makes rule slots stable from one call to the next.
    package static func compile(_ input: CompileInput, registry: inout RuleRegistry) -> CompileOutput {
        let compiler = RuleCompiler(options: input.options, registry: registry)
        compiler.update(to: input)
        let output = CompileOutput(state: compiler.mapState(), diagnostics: compiler.diagnostics())
        registry = compiler.registry
        return output
    }

    /// Brings everything to the state of `input`, changing only what differs.
    ///
    /// `input.options` must be this object's.
    package func update(to input: CompileInput) {
        precondition(input.options == options, "options are fixed when the compiler is made")
        let wantedPolicies = Dictionary(input.policies.map { ($0.reference, $0) }) { $1 }
        let wantedSubjects = Dictionary(input.subjects.map { ($0.slot, $0) }) { $1 }
        let wantedPeers = Dictionary(input.peers.map { ($0.identity.rawValue, $0) }) { $1 }
        for reference in policies.keys where wantedPolicies[reference] == nil { removePolicy(reference) }
        for slot in subjects.keys where wantedSubjects[slot] == nil { removeSubject(slot) }
        for identity in peers.keys where wantedPeers[identity] == nil {
            removePeer(NumericIdentity(rawValue: identity))
        }
        for peer in input.peers where peers[peer.identity.rawValue] != peer { setPeer(peer) }
        for subject in input.subjects where subjects[subject.slot] != subject { setSubject(subject) }
        // In order, so that sorted sets of policies grow at their end.
        for policy in wantedPolicies.values.filter({ policies[$0.reference]?.policy != $0 })
            .sorted(by: { $0.reference < $1.reference })
        {
            setPolicy(policy)
        }
    }

    /// The complete state: policy entries, subjects and rules, without the ipcache.
    package func mapState() -> MapState {
        settleSubjects()
        var state = MapState()
        state.policy.reserveCapacity(cells.values.reduce(0) { $0 + $1.first.count })
        for (_, subjectCells) in cells {
            for key in subjectCells.first.keys {
                state.policy[key] = subjectCells.value(of: key, precedes: precedes)
            }
        }
        for slot in subjects.keys { state.subjects[slot] = subjectState(slot) }
        state.rules = registry.descriptions
        return state
    }

    /// What changed in the tables since the last call.
    package func takeChanges() -> MapChanges {
        settleSubjects()
        var changes = MapChanges()
        for (key, old) in journal {
            let new = cells[key.subject]?.value(of: key, precedes: precedes)
            if new == old { continue }
            if let new {
                changes.policySettings.append(.init(key: key, value: new))
            } else {
                changes.policyRemovals.append(key)
            }
        }
        journal.removeAll()
        for slot in touchedSubjects {
            let new = subjects[slot] == nil ? nil : subjectState(slot)
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
        switch (registry.descriptions[a], registry.descriptions[b]) {
        case (.rule(let a), .rule(let b)):
            (a.policy, a.section, a.index) < (b.policy, b.section, b.index)
        case (.rule, _): true
        case (_, .rule): false
        default: a < b
        }
    }
}
