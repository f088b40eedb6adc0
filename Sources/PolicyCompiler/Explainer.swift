// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel
package import PolicyModel

/// Says what the policies make of a flow, and why, from the rules themselves: no table and no identity is needed, so
/// workloads that do not exist yet can be asked about.
package struct Explainer: Sendable {
    private let policies: [Policy]
    private let ranks: TierRanks
    private let line: TierLine
    private let groups: [PrefixGroup]
    /// Where policies are about the host besides its own connections.
    private let stages: Set<HostStage>
    /// Policies in whose place others are rehearsed.
    private let replaced: Set<PolicyReference>
    private let options: CompileOptions

    package init(policies: [Policy], options: CompileOptions = CompileOptions()) {
        self.policies = policies.sorted { $0.reference < $1.reference }
        self.options = options
        ranks = TierRanks(policies)
        line = TierLine(of: policies)
        groups = self.policies.compactMap(\.prefixGroup)
        stages = policies.stages
        replaced = policies.replaced
    }

    /// Some policies of another explainer's, with their places among all of them.
    private init(_ policies: [Policy], _ all: Explainer) {
        self.policies = policies
        ranks = all.ranks
        line = all.line
        groups = all.groups
        stages = policies.stages
        replaced = all.replaced
        options = all.options
    }

    /// The same with those policies only that select one of these endpoints: cheaper if much is asked about them.
    package func focused(on sides: [ExplainedSide]) -> Explainer {
        let meant = policies.filter { policy in
            let subjects = policy.rules.map(\.subject) + policy.defaultDeny.map(\.subject)
            return subjects.contains { subject in sides.contains(where: subject.selects) }
        }
        return Explainer(meant, self)
    }

    /// Explains a flow's first packet.
    ///
    /// `port`: of the destination; ICMP: the type in the high byte; nil: no port. `host`: what a packet from or to the
    /// outside passes through, unless it is an end itself; nil: nothing that has policies.
    package func explain(
        from source: ExplainedSide, to destination: ExplainedSide, through host: ExplainedSide? = nil,
        proto: IPProtocol, port: UInt16?
    ) -> Explanation {
        let egress =
            source.isAsked(about: destination)
            ? explain(at: source, peer: destination, direction: .egress, proto: proto, port: port) : nil
        let ingress =
            destination.isAsked(about: source)
            ? explain(at: destination, peer: source, direction: .ingress, proto: proto, port: port) : nil
        let passages = passages(from: source, to: destination, host).map { peer, direction in
            explain(
                at: host?.at(.forward) ?? peer, ahead: host, peer: peer, direction: direction, proto: proto, port: port)
        }
        let places = [egress, ingress].compactMap { $0 } + passages
        let sides = places + places.flatMap(\.ahead)
        let isDenied = sides.contains { $0.verdict == .deny }
        let verdict: Explanation.Verdict =
            isDenied ? .deny : sides.contains { $0.verdict == .audit } ? .audit : .allow
        return Explanation(verdict: verdict, egress: egress, ingress: ingress, passages: passages)
    }

    /// Where a packet crosses the host's devices on its way through, with whom it comes from or goes to.
    private func passages(
        from source: ExplainedSide, to destination: ExplainedSide, _ host: ExplainedSide?
    ) -> [(peer: ExplainedSide, direction: Direction)] {
        guard host != nil, !source.isHost, !destination.isHost, !stages.isEmpty
        else { return [] }
        return (source.isEndpoint ? [] : [(source, .ingress)])
            + (destination.isEndpoint ? [] : [(destination, .egress)])
    }

    /// What the policies of one endpoint say about a peer; `port` as in `explain`.
    package func explain(
        at subject: ExplainedSide, peer: ExplainedSide, direction: Direction, proto: IPProtocol, port: UInt16?
    ) -> Explanation.Side {
        let host = subject.crossesOwnDevice(to: peer) ? subject : nil
        return explain(at: subject, ahead: host, peer: peer, direction: direction, proto: proto, port: port)
    }

    /// `host`: whose policies without flows are asked first; nil: nobody's.
    private func explain(
        at subject: ExplainedSide, ahead host: ExplainedSide?, peer: ExplainedSide, direction: Direction,
        proto: IPProtocol, port: UInt16?
    ) -> Explanation.Side {
        let ahead = host.flatMap {
            explainAhead(at: $0, peer: peer, direction: direction, proto: proto, port: port)
        }
        // What policies without flows let in, a service's own policies judge at its sockets.
        if let ahead, ahead.isFinal, !subject.isService || ahead.side.verdict == .deny { return ahead.side }
        var side = explainFlow(at: subject, peer: peer, direction: direction, proto: proto, port: port)
        side.ahead = ahead.map { [$0.side] } ?? []
        return side
    }

    /// What one endpoint's policies about flows say about a peer; `port` as in `explain`.
    package func explainFlow(
        at subject: ExplainedSide, peer: ExplainedSide, direction: Direction, proto: IPProtocol, port: UInt16?
    ) -> Explanation.Side {
        let peer = peer.asOthersKnowIt
        let ports = direction == .ingress ? subject.namedPorts : peer.sharedPorts
        var side = side(of: subject, peer: peer, direction, Flow(proto: proto, port: port, destinationPorts: ports))
        if let port, subject.openPorts.contains(OpenPort(direction: direction, proto: proto, port: port)) {
            side.keepOpen()
        }
        return side
    }

    /// What policies without flows say at a device of the host; nil: none selects it in this direction.
    ///
    /// `isFinal`: nothing else is asked. Failsafe ports are not closed here either, also not to what passes through.
    package func explainAhead(
        at host: ExplainedSide, peer: ExplainedSide, direction: Direction, proto: IPProtocol, port: UInt16?
    ) -> (side: Explanation.Side, isFinal: Bool)? {
        guard stages.contains(.untracked) else { return nil }
        let peer = peer.asOthersKnowIt
        let subject = host.at(.untracked), ports = direction == .egress ? peer.sharedPorts : NamedPorts()
        var side = side(
            of: subject, peer: peer, direction, Flow(proto: proto, port: port, destinationPorts: ports))
        guard !side.findings.isEmpty else { return nil }
        let isSettled = side.isSettled
        if let port, host.openPorts.contains(OpenPort(direction: direction, proto: proto, port: port)),
            side.verdict != .allow
        {
            side.keepOpen()
            return (side, false)
        }
        return (side, isSettled)
    }

    private struct Flow {
        let proto: IPProtocol
        let port: UInt16?
        let destinationPorts: NamedPorts
        /// Of the peer; services among them have ports.
        var groups: [LabelSet] = []
    }

    private struct Candidate {
        let rule: PolicyRule
        let tier: PolicyTier
        let precedence: UInt32
        let standing: PolicyStanding
    }

    /// A policy that closes a direction.
    private struct Closer {
        let policy: Policy
        let standing: PolicyStanding
    }

    private func side(
        of subject: ExplainedSide, peer: ExplainedSide, _ direction: Direction, _ flow: Flow
    ) -> Explanation.Side {
        let closers = closers(of: subject, direction)
        var side = Explanation.Side(
            direction: direction, stage: subject.stage, verdict: .allow, cause: nil, findings: [],
            closedBy: closers.filter(\.standing.isEnforced).map(\.policy.reference),
            closedInAuditBy: closers.filter { $0.standing == .rehearsed }.map(\.policy.reference))
        if let address = subject.address, address == peer.address, !subject.isService {
            side.cause = .builtin("self")
            return side
        }
        var candidates: [Candidate] = []
        let groups = self.groups.around(peer), namedGroups = self.groups.naming(peer)
        var flow = flow
        flow.groups = direction == .egress ? groups : []
        for policy in policies {
            for (position, rule) in policy.rules.enumerated()
            where rule.direction == direction && rule.subject.selects(subject) {
                let precedence = strongestMatch(rule, ranks.rank(of: position, in: policy), flow)
                let matchesPeer = rule.peers.matches(peer, groups, namedGroups)
                if matchesPeer, let precedence {
                    candidates.append(
                        Candidate(
                            rule: rule, tier: policy.tier, precedence: precedence, standing: standing(of: policy)))
                }
                let outcome: Explanation.Finding.Outcome =
                    switch (matchesPeer, precedence != nil) {
                    case (true, true): .matches
                    case (true, false): .portDiffers
                    case (false, true): .peerDiffers
                    case (false, false): .differs
                    }
                side.findings.append(
                    .init(
                        rule: rule.origin, action: rule.action, isAudit: rule.isAudit, tier: policy.tier,
                        outcome: outcome))
            }
        }
        let hostEnters = direction == .ingress && options.allowHost && !subject.isHost && peer.isHost
        func walk(_ counts: (PolicyStanding) -> Bool) -> Walk {
            Walk(
                along: line, candidates.filter { counts($0.standing) }, closers: closers, direction, counts,
                hostEnters: hostEnters)
        }
        let (enforced, all) = (walk(\.isEnforced), walk(\.isAmongAll))
        conclude(&side, !enforced.isDenied && all.isDenied ? all : enforced, isEnforced: enforced.isDenied)
        side.isSettled = enforced.tier != nil && !(enforced.isDenied && subject.isAudited)
        if side.verdict == .deny && subject.isAudited { side.verdict = .audit }
        return side
    }

    private func conclude(_ side: inout Explanation.Side, _ walk: Walk, isEnforced: Bool) {
        side.verdict = isEnforced ? .deny : walk.isDenied ? .audit : .allow
        side.cause = walk.cause
        side.tier = walk.tier
        side.passedBy = walk.passers.map(\.rule.origin)
        for index in side.findings.indices where side.findings[index].outcome == .matches {
            let finding = side.findings[index]
            if side.passedBy.contains(finding.rule) {
                side.findings[index].outcome = .passes
            } else if finding.rule == walk.decider?.rule.origin {
                side.findings[index].outcome = .decides
            } else if let tier = walk.tier, line.isAsked(tier, before: finding.tier) {
                side.findings[index].outcome = .notReached
            } else if walk.tier == finding.tier, walk.decider?.rule.action == .deny, finding.action == .allow {
                side.findings[index].outcome = .coveredByDeny
            }
        }
    }

    /// One way through the tiers: until a rule allows or denies, or a tier ends in its default deny.
    private struct Walk {
        var isDenied = false
        var cause: RuleDescription?
        /// Where it ended; nil: behind the last one.
        var tier: PolicyTier?
        var decider: Candidate?
        /// By which it was passed on, in order.
        var passers: [Candidate] = []

        init(
            along line: TierLine, _ candidates: [Candidate], closers: [Closer], _ direction: Direction,
            _ counts: (PolicyStanding) -> Bool, hostEnters: Bool
        ) {
            for tier in line.places.map(\.tier) {
                if let best = strongest(candidates.filter { $0.tier == tier }) {
                    guard best.rule.action != .pass else {
                        passers.append(best)
                        continue
                    }
                    (isDenied, cause) = (best.rule.action == .deny, .rule(best.rule.origin))
                    (self.tier, decider) = (tier, best)
                    return
                }
                let closing = closers.filter { $0.policy.tier == tier && $0.standing != .neither }
                guard closing.contains(where: { counts($0.standing) }) else { continue }
                self.tier = tier
                isDenied = !hostEnters
                // Named are those that close in both verdicts, and all if none does.
                let always = closing.filter { $0.standing == .both }
                let named = (always.isEmpty ? closing : always).map(\.policy.reference).sorted()
                cause = hostEnters ? RuleRegistry.builtins[RuleRegistry.hostAccess] : .defaultDeny(direction, named)
                return
            }
        }

        /// Greatest precedence first, then the order of the policies and their sections, as in the tables.
        private func strongest(_ candidates: [Candidate]) -> Candidate? {
            candidates.min { a, b in
                if a.precedence != b.precedence { return a.precedence > b.precedence }
                let (first, second) = (a.rule.origin, b.rule.origin)
                return (first.policy, first.section, first.index) < (second.policy, second.section, second.index)
            }
        }
    }

    /// The precedence of the most specific of the rule's ports that the flow meets; nil if it meets none.
    private func strongestMatch(_ rule: PolicyRule, _ rank: UInt32, _ flow: Flow) -> UInt32? {
        let lowered = LoweredPorts(rule.ports.concerning(flow.proto, flow.port))
        let hasPeer = rule.peers != .any
        func strongest(_ keys: [PortKey], hasPeer: Bool) -> UInt32? {
            keys.filter { $0.covers(proto: flow.proto, port: flow.port) }
                .map { Precedence.of(rule.action, rank: rank, ports: $0, hasPeer: hasPeer) }.max()
        }
        // A name of the destination's makes the entry one for that destination, though the rule is for anyone.
        let named = strongest(
            lowered.namedKeys(for: flow.destinationPorts, action: rule.action),
            hasPeer: hasPeer || rule.direction == .egress)
        let ofServices = strongest(
            lowered.serviceKeys(for: flow.destinationPorts, groups: flow.groups, action: rule.action), hasPeer: hasPeer)
        let different = strongest(
            lowered.differenceKeys(for: flow.destinationPorts, action: rule.action), hasPeer: hasPeer)
        return [strongest(lowered.keys, hasPeer: hasPeer), named, ofServices, different].compactMap { $0 }.max()
    }

    private func closers(of subject: ExplainedSide, _ direction: Direction) -> [Closer] {
        policies.filter { policy in
            line.place(of: policy.tier)?.closes ?? false
                && policy.defaultDeny.contains { $0.direction == direction && $0.subject.selects(subject) }
        }.map { Closer(policy: $0, standing: standing(of: $0)) }
    }

    private func standing(of policy: Policy) -> PolicyStanding {
        PolicyStanding(isAudit: policy.isAudit, isReplaced: replaced.contains(policy.reference))
    }
}

extension SubjectSelector {
    func selects(_ side: ExplainedSide) -> Bool { kind == side.kind && labels.matches(side.labels) }
}

extension PortSelection {
    /// Without ranges that a packet of this kind cannot meet: thousands may be asked of a rule with thousands.
    fileprivate func concerning(_ proto: IPProtocol, _ port: UInt16?) -> PortSelection {
        guard case .some(let matches) = self, let port else { return self }
        return .some(
            matches.filter { match in
                guard case .range(let ranged, let range) = match else { return true }
                return ranged == proto && range.contains(port)
            })
    }
}

extension PeerSelection {
    fileprivate func matches(_ side: ExplainedSide, _ groups: [LabelSet], _ namedGroups: [LabelSet]) -> Bool {
        guard case .some(let selectors) = self else { return true }
        return selectors.contains { $0.matches(side, groups, namedGroups) }
    }
}

extension PeerSelector {
    /// `groups`: around the peer's address or of its labels; `namedGroups`: that have a name of its.
    fileprivate func matches(_ side: ExplainedSide, _ groups: [LabelSet], _ namedGroups: [LabelSet]) -> Bool {
        switch self {
        case .labels(let labels): labels.matches(side.labels)
        case .prefix(let prefix, let except, let includesWorkloads):
            (includesWorkloads || !side.isWorkload)
                && side.address.map { address in
                    prefix.contains(address) && !except.contains { $0.contains(address) }
                } ?? false
        case .group(let labels): groups.contains(where: labels.matches)
        case .groupNames(let labels): namedGroups.contains(where: labels.matches)
        case .name(let name): side.hasName { name.matches($0) }
        case .narrowed(let selector, let condition):
            selector.matches(side, groups, namedGroups)
                && condition.isMet(labels: side.labels, groups: groups, place: side.address.map { CIDR(host: $0) })
        }
    }
}

extension [PrefixGroup] {
    /// Labels of those around a peer's address.
    fileprivate func around(_ side: ExplainedSide) -> [LabelSet] {
        filter { group in
            if group.members?.matches(side.labels) ?? false { return true }
            guard let address = side.address, group.includesWorkloads || !side.isWorkload else { return false }
            return group.prefixes.contains { $0.contains(address) }
        }.map(\.labels)
    }

    /// Labels of those that have a name of a peer's.
    fileprivate func naming(_ side: ExplainedSide) -> [LabelSet] {
        guard !side.names.isEmpty else { return [] }
        return filter { group in group.names.contains { selector in side.hasName { selector.matches($0) } } }
            .map(\.labels)
    }
}

extension ExplainedSide {
    /// False for who is never known by name.
    fileprivate func hasName(where isMeant: (DomainName) -> Bool) -> Bool {
        !isWorkload && !(address?.isNeverOpenedByName ?? false) && names.contains(where: isMeant)
    }
}
