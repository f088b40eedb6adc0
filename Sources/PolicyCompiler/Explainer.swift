// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel
package import PolicyModel

/// Says what the policies make of a flow, and why, from the rules themselves: no table and no identity is needed, so
/// workloads that do not exist yet can be asked about.
package struct Explainer: Sendable {
    private let policies: [Policy]
    private let options: CompileOptions

    package init(policies: [Policy], options: CompileOptions = CompileOptions()) {
        self.policies = policies.sorted { $0.reference < $1.reference }
        self.options = options
    }

    /// The same with those policies only that select one of these endpoints: cheaper if much is asked about them.
    package func focused(on sides: [ExplainedSide]) -> Explainer {
        Explainer(
            policies: policies.filter { policy in
                let subjects = policy.rules.map(\.subject) + policy.defaultDeny.map(\.subject)
                return subjects.contains { subject in sides.contains(where: subject.selects) }
            }, options: options)
    }

    /// Explains a flow's first packet.
    ///
    /// `port`: of the destination; ICMP: the type in the high byte; nil: no port.
    package func explain(
        from source: ExplainedSide, to destination: ExplainedSide, proto: IPProtocol, port: UInt16?
    ) -> Explanation {
        let egress =
            source.isEndpoint
            ? explain(at: source, peer: destination, direction: .egress, proto: proto, port: port) : nil
        let ingress =
            destination.isEndpoint
            ? explain(at: destination, peer: source, direction: .ingress, proto: proto, port: port) : nil
        let sides = [egress, ingress].compactMap { $0 }
        let isDenied = sides.contains { $0.verdict == .deny }
        let verdict: Explanation.Verdict =
            isDenied ? .deny : sides.contains { $0.verdict == .audit } ? .audit : .allow
        return Explanation(verdict: verdict, egress: egress, ingress: ingress)
    }

    /// What the policies of one endpoint say about a peer; `port` as in `explain`.
    package func explain(
        at subject: ExplainedSide, peer: ExplainedSide, direction: Direction, proto: IPProtocol, port: UInt16?
    ) -> Explanation.Side {
        let ports = direction == .ingress ? subject.namedPorts : peer.sharedPorts
        return side(of: subject, peer: peer, direction, Flow(proto: proto, port: port, destinationPorts: ports))
    }

    private struct Flow {
        let proto: IPProtocol
        let port: UInt16?
        let destinationPorts: NamedPorts
    }

    private struct Candidate {
        let rule: PolicyRule
        let precedence: UInt32
    }

    private func side(
        of subject: ExplainedSide, peer: ExplainedSide, _ direction: Direction, _ flow: Flow
    ) -> Explanation.Side {
        var side = Explanation.Side(
            direction: direction, verdict: .allow, cause: nil, findings: [],
            closedBy: closers(of: subject, direction, isAudit: false),
            closedInAuditBy: closers(of: subject, direction, isAudit: true))
        if let address = subject.address, address == peer.address {
            side.cause = .builtin("self")
            return side
        }
        var candidates: [Candidate] = []
        for policy in policies {
            for rule in policy.rules where rule.direction == direction && rule.subject.selects(subject) {
                let precedence = strongestMatch(rule, flow)
                let matchesPeer = rule.action != .pass && rule.peers.matches(peer)
                if matchesPeer, let precedence { candidates.append(Candidate(rule: rule, precedence: precedence)) }
                let outcome: Explanation.Finding.Outcome =
                    switch (matchesPeer, precedence != nil) {
                    case (true, true): .matches
                    case (true, false): .portDiffers
                    case (false, true): .peerDiffers
                    case (false, false): .differs
                    }
                side.findings.append(
                    .init(rule: rule.origin, action: rule.action, isAudit: rule.isAudit, outcome: outcome))
            }
        }
        conclude(&side, candidates, hostEnters: options.allowHost && !subject.isHost && peer.isHost)
        if side.verdict == .deny && subject.isAudited { side.verdict = .audit }
        return side
    }

    private func conclude(_ side: inout Explanation.Side, _ candidates: [Candidate], hostEnters: Bool) {
        let enforced = strongest(candidates.filter { !$0.rule.isAudit })
        let all = strongest(candidates)
        let isClosed = !side.closedBy.isEmpty
        let isClosedInAudit = isClosed || !side.closedInAuditBy.isEmpty
        let closers = RuleDescription.defaultDeny(
            side.direction, isClosed ? side.closedBy : side.closedInAuditBy)
        let hostAccess = side.direction == .ingress && hostEnters && isClosedInAudit
        func verdict(_ best: Candidate?, _ isClosed: Bool) -> (isDenied: Bool, cause: RuleDescription?) {
            if let best { return (best.rule.action == .deny, .rule(best.rule.origin)) }
            if hostAccess { return (false, RuleRegistry.builtins[RuleRegistry.hostAccess]) }
            return (isClosed, isClosed ? closers : nil)
        }
        let first = verdict(enforced, isClosed)
        let second = verdict(all, isClosedInAudit)
        side.verdict = first.isDenied ? .deny : second.isDenied ? .audit : .allow
        side.cause = side.verdict == .audit ? second.cause : first.cause
        let matching = Set(candidates.map(\.rule.origin))
        let decider = side.verdict == .audit ? all : enforced
        for index in side.findings.indices where matching.contains(side.findings[index].rule) {
            guard side.findings[index].outcome == .matches else { continue }
            if side.findings[index].rule == decider?.rule.origin {
                side.findings[index].outcome = .decides
            } else if decider?.rule.action == .deny, side.findings[index].action == .allow {
                side.findings[index].outcome = .coveredByDeny
            }
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

    /// The precedence of the most specific of the rule's ports that the flow meets; nil if it meets none.
    private func strongestMatch(_ rule: PolicyRule, _ flow: Flow) -> UInt32? {
        let lowered = LoweredPorts(rule.ports)
        let hasPeer = rule.peers != .any
        func strongest(_ keys: [PortKey], hasPeer: Bool) -> UInt32? {
            keys.filter { $0.covers(proto: flow.proto, port: flow.port) }
                .map { Precedence.of(rule.action, priority: rule.priority, ports: $0, hasPeer: hasPeer) }.max()
        }
        // A name of the destination's makes the entry one for that destination, though the rule is for anyone.
        let named = strongest(
            lowered.namedKeys(for: flow.destinationPorts, action: rule.action),
            hasPeer: hasPeer || rule.direction == .egress)
        return [strongest(lowered.keys, hasPeer: hasPeer), named].compactMap { $0 }.max()
    }

    private func closers(of subject: ExplainedSide, _ direction: Direction, isAudit: Bool) -> [PolicyReference] {
        policies.filter { policy in
            policy.isAudit == isAudit
                && policy.defaultDeny.contains { $0.direction == direction && $0.subject.selects(subject) }
        }.map(\.reference)
    }
}

extension SubjectSelector {
    func selects(_ side: ExplainedSide) -> Bool { isForHosts == side.isHost && labels.matches(side.labels) }
}

extension PeerSelection {
    fileprivate func matches(_ side: ExplainedSide) -> Bool {
        guard case .some(let selectors) = self else { return true }
        return selectors.contains { selector in
            switch selector {
            case .labels(let labels): labels.matches(side.labels)
            case .prefix(let prefix, let except, let includesWorkloads):
                (includesWorkloads || !side.isWorkload)
                    && side.address.map { address in
                        prefix.contains(address) && !except.contains { $0.contains(address) }
                    } ?? false
            }
        }
    }
}
