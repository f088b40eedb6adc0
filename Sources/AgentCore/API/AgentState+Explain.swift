// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import LinuxHost
import NetworkModel
import PolicyCompiler
import PolicyModel

extension AgentState {
    func explain(_ request: ExplainRequest) async throws(APIError) -> ExplainReport {
        let source = try party(request.from)
        guard source.domainName == nil else {
            throw APIError(.badRequest, "\"\(request.from)\" is a DNS name: whoever sends is not known by name")
        }
        let asked = try party(request.to)
        let name = request.protocol ?? "tcp"
        guard let proto = IPProtocol(name) else {
            throw APIError(.badRequest, "no protocol \"\(name)\": tcp, udp, sctp, icmp, icmpv6 or a number")
        }
        let isICMP = proto == .icmp || proto == .icmpv6
        guard !isICMP || (request.port ?? 0) < 256 else {
            throw APIError(.badRequest, "ICMP type \(request.port ?? 0) is greater than 255")
        }
        let names = try learntNames(of: source, isAsked: asked.domainName != nil)
        let destination = located(asked, names)
        let number = try port(request, proto, at: destination)
        let pairs = try AddressPair.all(from: source, to: destination, family: try family(request, proto))
        let explainer = Explainer(
            policies: Array(engine.input.policies.values),
            options: CompileOptions(allowHost: configuration.allowsHostAccess)
        ).focused(on: [source.side, destination.side] + HostStage.allCases.map(hostSide.at))
        // Only where the host is an endpoint has it policies.
        let through = configuration.hostEndpoint.isEnabled ? hostSide : nil
        var judgements: [(pair: AddressPair, explanation: Explanation)] = pairs.map { pair in
            var target = destination.side(at: pair.destination)
            target.names = pair.destination.flatMap { names[$0] } ?? destination.domainName.map { [$0] } ?? []
            let explanation = explainer.explain(
                from: source.side(at: pair.source), to: target, through: through, proto: proto,
                port: isICMP ? number.map { $0 << 8 } : number)
            return (pair, explanation)
        }
        let first = judgements.removeFirst()
        let port = number.map { isICMP ? " type \($0)" : "/\($0)" } ?? ""
        var report = ExplainReport(
            verdict: first.explanation.verdict.rawValue, from: source.record(at: first.pair.source),
            to: destination.record(at: first.pair.destination), traffic: "\(proto)\(port)",
            steps: steps(first.explanation, source, destination))
        var shown: Set<String> = []
        for (pair, explanation) in judgements {
            if explanation.verdict == first.explanation.verdict {
                report.agreeing += 1
            } else if shown.insert("\(explanation.verdict) \(pair.family ?? 0)").inserted {
                report.differing.append(
                    ExplainedVariant(
                        verdict: explanation.verdict.rawValue, fromAddress: pair.source.map { "\($0)" },
                        toAddress: pair.destination.map { "\($0)" },
                        steps: steps(explanation, source, destination)))
            }
        }
        return report
    }

    /// The port asked for: by number, or by the name that the destination gives it.
    private func port(
        _ request: ExplainRequest, _ proto: IPProtocol, at destination: ExplainedParty
    ) throws(APIError) -> UInt16? {
        guard let name = request.portName else { return request.port }
        guard request.port == nil else { throw APIError(.badRequest, "a port is a number or a name, not both") }
        guard proto.hasPorts else { throw APIError(.badRequest, "\(proto) has no ports: \"\(name)\" is none") }
        let known = destination.side.namedPorts.numbers
        let numbers = known[NamedPort(proto: proto, name: name)]?.sorted() ?? []
        guard let number = numbers.first else {
            let others = known.filter { !$0.value.isEmpty }.keys.map { "\($0.name) (\($0.proto))" }.sorted()
            throw APIError(
                .badRequest,
                "\(destination.record.text) has no \(proto) port named \"\(name)\": "
                    + (others.isEmpty
                        ? "it names no ports; write the number" : "it has \(others.joined(separator: ", "))"))
        }
        guard numbers.count == 1 else {
            let list = numbers.map(String.init).joined(separator: ", ")
            throw APIError(
                .badRequest, "\(destination.record.text) has several ports named \"\(name)\": write one of \(list)")
        }
        return number
    }

    /// The family asked for, or the only one that has the protocol; nil: either.
    private func family(_ request: ExplainRequest, _ proto: IPProtocol) throws(APIError) -> Int? {
        guard request.family.map([4, 6].contains) ?? true else {
            throw APIError(.badRequest, "no address family \(request.family ?? 0): 4 or 6")
        }
        guard proto == .icmp || proto == .icmpv6 else { return request.family }
        let family = proto == .icmp ? 4 : 6
        guard request.family ?? family == family else {
            throw APIError(
                .badRequest,
                "\(proto) is not sent over IPv\(request.family ?? 0): write \(family == 4 ? "icmpv6" : "icmp")")
        }
        return family
    }

    private func steps(
        _ explanation: Explanation, _ source: ExplainedParty, _ destination: ExplainedParty
    ) -> [ExplainedStep] {
        var steps: [ExplainedStep] = []
        func add(
            _ side: Explanation.Side, of subject: ControlAPI.ExplainedSide, _ peer: ControlAPI.ExplainedSide,
            place: String? = nil
        ) {
            for part in side.ahead + [side] {
                var step = step(part, of: subject, peer: peer)
                if let place { step.title = "\(part.direction) of \(place)" }
                if part.stage == .untracked {
                    step.title = "untracked \(step.title)"
                    step.hint = hintOfAnswers(part)
                }
                steps.append(step)
            }
        }
        if let egress = explanation.egress { add(egress, of: source.record, destination.record) }
        for passage in explanation.passages {
            let peer = passage.direction == .ingress ? source.record : destination.record
            add(passage, of: host("host", []).record, peer, place: HostStage.forward.title)
        }
        if let ingress = explanation.ingress { add(ingress, of: destination.record, source.record) }
        return steps
    }

    private func step(
        _ side: Explanation.Side, of subject: ControlAPI.ExplainedSide, peer: ControlAPI.ExplainedSide
    ) -> ExplainedStep {
        let name = subject.endpoint ?? subject.text
        let reason: String? =
            switch (side.verdict, side.cause) {
            case (.allow, _): nil
            case (_, .defaultDeny): "policy-default-deny"
            default: "policy-deny"
            }
        var matched: [ExplainedRule] = []
        var unmatched: [ExplainedRule] = []
        for finding in side.findings where finding.outcome != .decides {
            let rule = ExplainedRule(
                rule: finding.rule.text, action: finding.action.word, source: finding.rule.source.text,
                note: note(finding, peer: peer.endpoint ?? peer.text))
            if [.matches, .coveredByDeny, .passes, .notReached].contains(finding.outcome) {
                matched.append(rule)
            } else {
                unmatched.append(rule)
            }
        }
        return ExplainedStep(
            title: "\(side.direction) of \(name)", direction: "\(side.direction)", verdict: side.verdict.rawValue,
            reason: reason, cause: side.cause?.nameText ?? noCause(side, name),
            source: side.cause?.source?.text, tier: side.tier?.name,
            passedBy: side.passedBy.isEmpty ? nil : side.passedBy.map(\.text), matched: matched, unmatched: unmatched)
    }

    /// Who lets a packet in without a flow has said nothing about what answers it.
    private func hintOfAnswers(_ side: Explanation.Side) -> String? {
        guard side.findings.contains(where: { $0.outcome == .decides && $0.action == .allow }) else { return nil }
        let answers: Direction = side.direction == .ingress ? .egress : .ingress
        return
            "no flow is kept: packets that answer are judged by themselves (untracked \(answers)) and may need a rule "
            + "of their own"
    }

    private func noCause(_ side: Explanation.Side, _ name: String) -> String {
        side.findings.isEmpty ? "no policy selects \(name) in this direction" : "no policy: behind the last tier"
    }

    private func note(_ finding: Explanation.Finding, peer: String) -> String {
        let audit = finding.isAudit ? " (audit)" : ""
        switch finding.outcome {
        case .decides: return "decides" + audit
        case .matches: return "says the same or is outweighed" + audit
        case .coveredByDeny: return "outweighed by the deny" + audit
        case .passes: return "passes the decision on to the next tier" + audit
        case .notReached: return "not asked: an earlier tier has decided" + audit
        case .portDiffers: return "matches \(peer), but not this port" + audit
        case .peerDiffers: return "matches this port, but not \(peer)" + audit
        case .differs: return "matches neither \(peer) nor this port" + audit
        }
    }
}

extension AgentState {
    /// `k8s:app=web,k8s:tier=front`; without a source a label is a Kubernetes label, as on workloads.
    nonisolated func parseLabels(_ text: String) throws(APIError) -> LabelSet {
        var labels: [Label] = []
        for part in text.split(separator: ",") {
            do throws(LabelSyntaxError) {
                labels.append(try Label.parse(String(part), defaultSource: LabelSource.kubernetes))
            } catch {
                throw APIError(.badRequest, "\"\(part)\" is not a label: \(error.reason)")
            }
        }
        let hasNamespace = labels.contains { $0.key == WellKnownLabel.namespace }
        let isReserved = labels.contains { $0.source == LabelSource.reserved }
        if !hasNamespace && !isReserved {
            labels.append(
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "default"))
        }
        return LabelSet(labels)
    }
}

extension RuleAction {
    fileprivate var word: String {
        switch self {
        case .allow: "allow"
        case .deny: "deny"
        case .pass: "pass"
        }
    }
}
