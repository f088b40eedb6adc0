// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Somebody who sends or receives.
struct Party {
    var name: String
    var labels: LabelSet
    var address: IPAddress
    var ports = NamedPorts()
    var isHost = false
    var isWorkload = true
}

/// What the rules mean, said as plainly as possible and without anything of the compiler: the oracle of its tests.
struct ReferenceEvaluator {
    enum Verdict: String {
        case allow, deny, audit
    }

    var policies: [Policy]
    var allowHost = true
    /// All numbers of a port name on endpoints with these labels: on egress only the identity is known.
    var portsByLabels: [LabelSet: NamedPorts] = [:]

    /// The verdict, and the rules any of which may be named as its cause (empty: default deny, host or no policy).
    func decide(subject: Party, peer: Party, _ direction: Direction, _ proto: IPProtocol, _ port: UInt16?)
        -> (verdict: Verdict, causes: [RuleOrigin])
    {
        let enforced = judge(policies.filter { !$0.isAudit }, subject, peer, direction, proto, port)
        if enforced.isDenied { return (.deny, enforced.causes) }
        let all = judge(policies, subject, peer, direction, proto, port)
        return all.isDenied ? (.audit, all.causes) : (.allow, enforced.causes)
    }

    private func judge(
        _ policies: [Policy], _ subject: Party, _ peer: Party, _ direction: Direction, _ proto: IPProtocol,
        _ port: UInt16?
    ) -> (isDenied: Bool, causes: [RuleOrigin]) {
        for tier in [PolicyTier.admin, .normal, .baseline] {
            let here = policies.filter { $0.tier == tier }
            let rules = ordered(here).flatMap(\.rules).filter {
                $0.direction == direction && selects($0.subject, subject) && matches($0.peers, peer)
                    && matches($0, subject, peer, proto, port)
            }
            // In the default tier all rules speak at once, in the others the first one that matches.
            let heard = tier == .normal ? rules : Array(rules.prefix(1))
            let denying = heard.filter { $0.action == .deny }
            if !denying.isEmpty { return (true, denying.map(\.origin)) }
            let allowing = heard.filter { $0.action == .allow }
            if !allowing.isEmpty { return (false, allowing.map(\.origin)) }
            if !heard.isEmpty { continue }
            let isClosed = here.contains {
                $0.defaultDeny.contains { $0.direction == direction && selects($0.subject, subject) }
            }
            guard isClosed else { continue }
            return (!(allowHost && direction == .ingress && peer.isHost && !subject.isHost), [])
        }
        return (false, [])
    }

    /// By priority, then by name.
    private func ordered(_ policies: [Policy]) -> [Policy] {
        func place(_ policy: Policy) -> (UInt16, String) {
            guard case .priority(let priority) = policy.order else { return (0, policy.reference.name) }
            return (priority, policy.reference.name)
        }
        return policies.sorted { place($0) < place($1) }
    }

    private func selects(_ selector: SubjectSelector, _ party: Party) -> Bool {
        switch selector {
        case .endpoints(let labels): !party.isHost && labels.matches(party.labels)
        case .hosts(let labels): party.isHost && labels.matches(party.labels)
        }
    }

    private func matches(_ peers: PeerSelection, _ party: Party) -> Bool {
        guard case .some(let selectors) = peers else { return true }
        for selector in selectors {
            switch selector {
            case .labels(let labels): if labels.matches(party.labels) { return true }
            case .prefix(let prefix, let except, let includesWorkloads):
                if party.isWorkload && !includesWorkloads { continue }
                if prefix.contains(party.address) && !except.contains(where: { $0.contains(party.address) }) {
                    return true
                }
            case .group, .narrowed, .name: preconditionFailure("no policy of a scenario has such peers")
            }
        }
        return false
    }

    private func matches(
        _ rule: PolicyRule, _ subject: Party, _ peer: Party, _ proto: IPProtocol, _ port: UInt16?
    ) -> Bool {
        guard case .some(let matches) = rule.ports else { return true }
        for match in matches {
            switch match {
            case .range(let wanted, let range):
                if wanted == proto, port.map(range.contains) ?? (range == 0...65535) { return true }
            case .wholeProtocol(let wanted), .icmpType(let wanted, nil): if wanted == proto { return true }
            case .icmpType(let wanted, let type?):
                if wanted == proto, let port, port >> 8 == UInt16(type) { return true }
            case .named(let wanted, let name):
                guard wanted == proto, let port else { continue }
                let known = rule.direction == .ingress ? subject.ports : portsByLabels[peer.labels] ?? NamedPorts()
                let numbers = known.numbers[NamedPort(proto: proto, name: name)] ?? []
                if numbers.contains(port), numbers.count == 1 || rule.action == .deny { return true }
            }
        }
        return false
    }
}
