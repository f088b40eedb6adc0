// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// What one rule says to one subject about some peers, added or taken away.
extension RuleCompiler {
    enum Sign {
        case add, remove
    }

    /// All peers of the rule.
    func contribute(_ rule: CompiledRule, to subject: UInt16, _ sign: Sign) {
        guard let uses = rule.peerUses else {
            contribute(rule, to: subject, peers: [NumericIdentity.any.rawValue], sign)
            contribute(rule, to: subject, peers: portNameIndex.members(of: rule.namesOfAnyPeer), sign)
            return
        }
        for use in uses { contribute(rule, to: subject, peers: members(of: use), sign) }
    }

    /// The peers that a rule's selector selects now.
    func members(of use: CompiledRule.PeerUse) -> [UInt32] {
        let all =
            switch use.index {
            case .labels: peerIndex.members(of: use.id)
            case .prefixes: prefixIndex.members(of: use.id)
            case .groups: groupIndex.members(of: use.id)
            case .groupNames: groupNameIndex.members(of: use.id)
            case .names: nameIndex.members(of: use.id)
            }
        guard use.condition != nil else { return all }
        return all.filter { peers[$0].map(use.isMet) ?? false }
    }

    func contribute(_ rule: CompiledRule, to subject: UInt16, peers selected: [UInt32], _ sign: Sign) {
        let direction = rule.rule.direction
        guard !selected.isEmpty, let stage = rule.stage, rule.standing != .neither else { return }
        // Ports by name belong to the destination: the subject on ingress, each peer on egress; services are before peers.
        let isPerPeer = direction == .egress && rule.ports.dependsOnPeer
        let subjectPorts = isPerPeer ? NamedPorts() : subjects[subject]?.namedPorts ?? NamedPorts()
        let shared = isPerPeer ? [] : rule.ports.keys(for: subjectPorts, action: rule.rule.action)
        let (number, rank, action, standing) = (rule.slot, rule.rank, rule.rule.action, rule.standing)
        change(SubjectStage.slot(stage, of: subject)) { cells, journal in
            for peer in selected {
                let identity = NumericIdentity(rawValue: peer)
                for port in isPerPeer ? keys(of: rule, at: peer) : shared {
                    let key = CellKey(peer: identity, port, direction)
                    let precedence = Precedence.of(action, rank: rank, ports: port, hasPeer: identity != .any)
                    journal.note(key, in: cells, precedes: precedes)
                    let contribution = Contribution(rule: number, precedence: precedence, standing: standing)
                    switch sign {
                    case .add: cells.add(contribution, at: key)
                    case .remove: cells.remove(contribution, at: key)
                    }
                }
            }
        }
    }

    /// An egress rule's keys for one peer; for any peer: those that are the same at every destination.
    private func keys(of rule: CompiledRule, at peer: UInt32) -> [PortKey] {
        guard peer != NumericIdentity.any.rawValue else { return rule.ports.keys }
        let names = peers[peer]?.namedPorts ?? NamedPorts()
        return rule.peerUses == nil
            ? rule.ports.namedKeys(for: names, action: rule.rule.action)
            : rule.ports.keys(for: names, groups: peers[peer]?.groups ?? [], action: rule.rule.action)
    }

    /// Changes a slot's entries; `body` notes in the journal what it touches.
    func change(_ slot: UInt16, _ body: (inout SubjectCells, inout SlotJournal) -> Void) {
        touch(slot)
        let wasThere = cells.index(forKey: slot) != nil
        if journal.index(forKey: slot) == nil { journal[slot] = SlotJournal(of: cells[slot]) }
        body(&cells[slot, default: SubjectCells()], &journal[slot, default: SlotJournal(of: nil)])
        if !wasThere, cells[slot]?.isEmpty ?? false { cells[slot] = nil }
    }

    /// Makes the rule speak for one more subject: its slot begins with the first.
    func connect(_ rule: CompiledRule, to subject: UInt16) {
        if rule.subjectCount == 0 {
            rule.slot = registry.use(rule.description)
            touchedSlots.insert(rule.slot)
            rulesBySlot[Int(rule.slot)] = rule
        }
        rule.subjectCount += 1
        contribute(rule, to: subject, .add)
    }

    func disconnect(_ rule: CompiledRule, from subject: UInt16, takingEntries: Bool = true) {
        if takingEntries { contribute(rule, to: subject, .remove) }
        rule.subjectCount -= 1
        guard rule.subjectCount == 0 else { return }
        touchedSlots.insert(rule.slot)
        if registry.release(rule.description) != nil { rulesBySlot[Int(rule.slot)] = nil }
        rule.slot = 0
    }

    func change(_ closure: CompiledClosure, at subject: UInt16, _ sign: Sign) {
        guard let stage = closure.stage else { return }
        let slot = SubjectStage.slot(stage, of: subject)
        touch(slot)
        let direction = closure.direction
        switch sign {
        case .add:
            cells[slot, default: SubjectCells()].close(direction, by: closure.policy, closure.standing)
        case .remove: cells[slot]?.open(direction, by: closure.policy, closure.standing)
        }
    }
}
