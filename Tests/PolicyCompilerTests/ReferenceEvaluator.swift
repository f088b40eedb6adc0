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
        let replaced = Set(policies.compactMap(\.standsInFor))
        let all = judge(policies.filter { !replaced.contains($0.reference) }, subject, peer, direction, proto, port)
        return all.isDenied ? (.audit, all.causes) : (.allow, enforced.causes)
    }

    private func judge(
        _ policies: [Policy], _ subject: Party, _ peer: Party, _ direction: Direction, _ proto: IPProtocol,
        _ port: UInt16?
    ) -> (isDenied: Bool, causes: [RuleOrigin]) {
        for tier in tiers {
            let here = policies.filter { $0.tier == tier }
            func matching(_ policies: [Policy]) -> [PolicyRule] {
                ordered(policies).flatMap(\.rules).filter {
                    $0.direction == direction && selects($0.subject, subject) && matches($0.peers, peer)
                        && matches($0, subject, peer, proto, port)
                }
            }
            // Rules judged together speak at once, at order 1000; of the others the first one that matches.
            let early = matching(here.filter { $0.order != .together && place($0) <= 1000 }).prefix(1)
            let together = matching(here.filter { $0.order == .together })
            let late = matching(here.filter { $0.order != .together && place($0) > 1000 }).prefix(1)
            let heard = !early.isEmpty ? Array(early) : !together.isEmpty ? together : Array(late)
            let denying = heard.filter { $0.action == .deny }
            if !denying.isEmpty { return (true, denying.map(\.origin)) }
            let allowing = heard.filter { $0.action == .allow }
            if !allowing.isEmpty { return (false, allowing.map(\.origin)) }
            if !heard.isEmpty { continue }
            let isClosed = here.contains {
                $0.defaultDeny.contains { $0.direction == direction && selects($0.subject, subject) }
            }
            guard isClosed, closes(tier) else { continue }
            return (!(allowHost && direction == .ingress && peer.isHost && !subject.isHost), [])
        }
        return (false, [])
    }

    private var definitions: [TierDefinition] { policies.compactMap(\.definedTier) }

    /// By order, then by name; what nobody defines is last.
    private var tiers: [PolicyTier] {
        let own = ["a", "b"].map { name in
            (definitions.first { $0.name == name }?.order ?? .infinity, name, PolicyTier.own(name))
        }
        let fixed: [(Double, String, PolicyTier)] = [
            (1000, "admin", .admin), (1_000_000, "default", .normal), (10_000_000, "baseline", .baseline),
        ]
        return (fixed + own).sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    }

    private func closes(_ tier: PolicyTier) -> Bool { definitions.first { $0.name == tier.name }?.closes ?? true }

    /// Priority or order.
    private func place(_ policy: Policy) -> Double {
        switch policy.order {
        case .together: 0
        case .priority(let priority): Double(priority)
        case .ordered(let order): order ?? .infinity
        }
    }

    /// By priority or order, then by name.
    private func ordered(_ policies: [Policy]) -> [Policy] {
        policies.sorted { (place($0), $0.reference.name) < (place($1), $1.reference.name) }
    }

    private func selects(_ selector: SubjectSelector, _ party: Party) -> Bool {
        switch selector {
        case .endpoints(let labels): !party.isHost && labels.matches(party.labels)
        case .hosts(let labels): party.isHost && labels.matches(party.labels)
        case .stage: false
        }
    }

    private func matches(_ peers: PeerSelection, _ party: Party) -> Bool {
        guard case .some(let selectors) = peers else { return true }
        return selectors.contains { matches($0, party) }
    }

    private func matches(_ selector: PeerSelector, _ party: Party) -> Bool {
        switch selector {
        case .labels(let labels): return labels.matches(party.labels)
        case .prefix(let prefix, let except, let includesWorkloads):
            if party.isWorkload && !includesWorkloads { return false }
            return prefix.contains(party.address) && !except.contains { $0.contains(party.address) }
        case .group(let labels): return isInGroup(labels, party)
        case .narrowed(let inner, let condition):
            if let within = condition.within, !within.contains(where: { $0.contains(party.address) }) { return false }
            if condition.outside.contains(where: { $0.contains(party.address) }) { return false }
            if condition.notLabels.contains(where: { $0.matches(party.labels) }) { return false }
            if condition.notGroups.contains(where: { isInGroup($0, party) }) { return false }
            return matches(inner, party)
        case .name, .groupNames: preconditionFailure("no policy of a scenario has such peers")
        }
    }

    private func isInGroup(_ labels: LabelSelector, _ party: Party) -> Bool {
        policies.compactMap(\.prefixGroup).contains { group in
            labels.matches(group.labels) && (group.includesWorkloads || !party.isWorkload)
                && group.prefixes.contains { $0.contains(party.address) }
        }
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
            case .ofServices, .without: continue
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
