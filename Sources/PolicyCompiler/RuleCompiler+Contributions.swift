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
            case .groups: groupIndex.members(of: use.id).flatMap(groupPeers.peers)
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
        let slot = SubjectStage.slot(stage, of: subject)
        for peer in selected {
            let hasPeer = peer != NumericIdentity.any.rawValue
            let ports = isPerPeer ? keys(of: rule, at: peer) : shared
            for port in ports {
                let key = PolicyKey(
                    peer: NumericIdentity(rawValue: peer), subject: slot, port: port.port, proto: port.proto,
                    direction: direction, prefixLength: port.prefixLength)
                let precedence = Precedence.of(
                    rule.rule.action, rank: rule.rank, ports: port, hasPeer: hasPeer)
                change(key, Contribution(rule: rule.slot, precedence: precedence, standing: rule.standing), sign)
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

    func change(_ key: PolicyKey, _ contribution: Contribution, _ sign: Sign) {
        touch(key.subject)
        if journal[key] == nil {
            journal[key] = .some(cells[key.subject]?.value(of: key, precedes: precedes))
        }
        switch sign {
        case .add: cells[key.subject, default: SubjectCells()].add(contribution, at: key)
        case .remove: cells[key.subject]?.remove(contribution, at: key)
        }
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
