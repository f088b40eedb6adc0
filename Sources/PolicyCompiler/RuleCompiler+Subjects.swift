// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// What follows for a subject from all of its rules together: who closed it, and the host's way in.
extension RuleCompiler {
    /// Brings default-deny attribution and host access of all touched subjects up to date.
    func settleSubjects() {
        for slot in touchedSubjects {
            guard let subject = subjects[slot] else { continue }
            settleDefaultDeny(slot)
            settleHostAccess(subject)
        }
    }

    func subjectState(_ slot: UInt16) -> SubjectState {
        guard let subjectCells = cells[slot] else { return .open }
        let rules = (defaultDenies[slot] ?? [nil, nil]).map {
            $0.map { registry.slot(of: $0) ?? RuleRegistry.unnumbered } ?? 0
        }
        return subjectCells.state(defaultDenyRule: rules)
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

    private func settleHostAccess(_ subject: CompileSubject) {
        let isNeeded =
            options.allowHost && !subject.isHost
            && cells[subject.slot]?.isClosed(.ingress, enforcedOnly: false) ?? false
        let wanted = isNeeded ? hostPeers.union([NumericIdentity.host.rawValue]) : []
        let present = openedHostPeers[subject.slot] ?? []
        guard wanted != present else { return }
        for peer in wanted.subtracting(present) { changeHostAccess(subject.slot, peer, .add) }
        for peer in present.subtracting(wanted) { changeHostAccess(subject.slot, peer, .remove) }
        openedHostPeers[subject.slot] = wanted
    }

    private func changeHostAccess(_ subject: UInt16, _ peer: UInt32, _ sign: Sign) {
        let port = PortKey.allProtocols
        let key = PolicyKey(
            peer: NumericIdentity(rawValue: peer), subject: subject, port: port.port, proto: port.proto,
            direction: .ingress, prefixLength: port.prefixLength)
        change(
            key, Contribution(rule: RuleRegistry.hostAccess, precedence: Precedence.hostAccess, isAudit: false), sign)
    }
}
