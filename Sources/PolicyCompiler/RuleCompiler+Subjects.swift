// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// What follows for a subject from all of its rules together: who closed it, and the host's way in.
extension RuleCompiler {
    /// Brings default-deny attribution and host access of all touched subjects up to date.
    func settleSubjects() {
        for slot in touchedSubjects {
            guard let subject = subjects[SubjectStage.subject(of: slot)] else { continue }
            settleDefaultDeny(slot)
            settleHostAccess(subject, at: slot)
        }
    }

    /// The slots of a subject that mean something: its own, and those of the tiers with policies for it.
    func slots(of subject: UInt16) -> [UInt16] {
        [subject] + stages(of: subject).filter { $0 != 0 }.map { SubjectStage.slot($0, of: subject) }
    }

    /// A slot changes: the subject's own record, which lists its tiers, is looked at as well.
    func touch(_ slot: UInt16) {
        touchedSubjects.insert(slot)
        touchedSubjects.insert(SubjectStage.subject(of: slot))
    }

    /// Nil: nothing is there.
    func subjectState(_ slot: UInt16) -> SubjectState? {
        let subject = SubjectStage.subject(of: slot)
        guard subjects[subject] != nil else { return nil }
        let isTier = slot != subject
        let asksNames =
            !isTier && stages(of: subject).contains { cells[SubjectStage.slot($0, of: subject)]?.hasNames ?? false }
        guard let subjectCells = cells[slot], !isTier || !subjectCells.isEmpty else {
            guard !isTier else { return nil }
            var state = SubjectState(chain: SubjectStage.chain(stages(of: subject)))
            if asksNames { state.probeMask[0][1] |= SubjectState.namesProbe }
            return state
        }
        let rules = (defaultDenies[slot] ?? [nil, nil]).map {
            $0.map { registry.slot(of: $0) ?? RuleRegistry.unnumbered } ?? 0
        }
        var state = subjectCells.state(
            defaultDenyRule: rules, chain: isTier ? 0 : SubjectStage.chain(stages(of: subject)))
        if asksNames { state.probeMask[0][1] |= SubjectState.namesProbe }
        return state
    }

    /// Of the tiers with policies for the subject, first asked first.
    private func stages(of subject: UInt16) -> [UInt8] {
        tiers.line.places.map(\.stage).filter { !(cells[SubjectStage.slot($0, of: subject)]?.isEmpty ?? true) }
    }

    func releaseDefaultDeny(_ description: RuleDescription) {
        if let slot = registry.release(description) { touchedSlots.insert(slot) }
    }

    private func settleDefaultDeny(_ slot: UInt16) {
        var current = defaultDenies[slot] ?? [nil, nil]
        for direction in Direction.allCases {
            let policies = cells[slot]?.closingPolicies(direction) ?? []
            let wanted: RuleDescription? = policies.isEmpty ? nil : .defaultDeny(direction, policies)
            let old = current[Int(direction.rawValue)]
            guard wanted != old else { continue }
            current[Int(direction.rawValue)] = nil
            if let wanted {
                touchedSlots.insert(registry.use(wanted))
                current[Int(direction.rawValue)] = wanted
            }
            if let old { releaseDefaultDeny(old) }
        }
        defaultDenies[slot] = current
    }

    /// The host's way into a closed tier; where one of the two verdicts alone is closed, it is in that one: the other goes on
    /// to the next tier.
    struct HostAccess: Equatable {
        var peers: Set<UInt32> = []
        var standing = PolicyStanding.neither
    }

    private func settleHostAccess(_ subject: CompileSubject, at slot: UInt16) {
        let closing = cells[slot]?.closing(.ingress) ?? .neither
        let isNeeded = options.allowHost && !subject.isHost && closing != .neither
        let wanted = HostAccess(
            peers: isNeeded ? hostPeers.union([NumericIdentity.host.rawValue]) : [],
            standing: isNeeded ? closing : .neither)
        let present = openedHostPeers[slot] ?? HostAccess()
        guard wanted != present else { return }
        let kept = wanted.standing == present.standing ? wanted.peers.intersection(present.peers) : []
        for peer in present.peers.subtracting(kept) { changeHostAccess(slot, peer, present.standing, .remove) }
        for peer in wanted.peers.subtracting(kept) { changeHostAccess(slot, peer, wanted.standing, .add) }
        openedHostPeers[slot] = wanted
    }

    private func changeHostAccess(_ slot: UInt16, _ peer: UInt32, _ standing: PolicyStanding, _ sign: Sign) {
        let port = PortKey.allProtocols
        let key = CellKey(peer: NumericIdentity(rawValue: peer), port, .ingress)
        let contribution = Contribution(
            rule: RuleRegistry.hostAccess, precedence: Precedence.hostAccess, standing: standing)
        change(slot) { cells, journal in
            journal.note(key, in: cells, precedes: precedes)
            switch sign {
            case .add: cells.add(contribution, at: key)
            case .remove: cells.remove(contribution, at: key)
            }
        }
    }
}
