// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel

extension AgentState {
    func explain(_ request: ExplainRequest) async throws(APIError) -> ExplainReport {
        let (source, sourceRecord) = try side(request.from)
        let (destination, destinationRecord) = try side(request.to)
        let name = request.protocol ?? "tcp"
        guard let proto = IPProtocol(name) else {
            throw APIError(.badRequest, "no protocol \"\(name)\": tcp, udp, sctp, icmp, icmpv6 or a number")
        }
        let isICMP = proto == .icmp || proto == .icmpv6
        guard !isICMP || (request.port ?? 0) < 256 else {
            throw APIError(.badRequest, "ICMP type \(request.port ?? 0) is greater than 255")
        }
        let explainer = Explainer(
            policies: Array(engine.input.policies.values),
            options: CompileOptions(allowHost: configuration.allowsHostAccess))
        let explanation = explainer.explain(
            from: source, to: destination, proto: proto, port: isICMP ? request.port.map { $0 << 8 } : request.port)
        var steps: [ExplainedStep] = []
        if let egress = explanation.egress { steps.append(step(egress, of: sourceRecord, peer: destinationRecord)) }
        if let ingress = explanation.ingress { steps.append(step(ingress, of: destinationRecord, peer: sourceRecord)) }
        let port = request.port.map { isICMP ? " type \($0)" : "/\($0)" } ?? ""
        return ExplainReport(
            verdict: explanation.verdict.rawValue, from: sourceRecord, to: destinationRecord,
            traffic: "\(proto)\(port)", steps: steps)
    }

    /// Understands one end: an endpoint, an address, a reserved name or labels.
    private func side(_ text: String) throws(APIError) -> (PolicyCompiler.ExplainedSide, ControlAPI.ExplainedSide) {
        if let workload = workload(text) { return side(of: workload, text) }
        if let address = IPAddress(text) { return side(at: address, text) }
        if text == "world" || text == "reserved:world" {
            return (.world(nil), record(text, "address", .world, labels: ["reserved:world"]))
        }
        if text == "host" || text == "reserved:host" { return host(nil, text) }
        guard text.contains(":") || text.contains("=") else {
            throw APIError(
                .badRequest,
                "\"\(text)\" is no endpoint, no address and no labels: `bulkhead endpoint list` shows names; "
                    + "labels look like k8s:app=web")
        }
        let labels = try parseLabels(text)
        let identity = engine.allocator.records.values.first { $0.labels == labels && $0.prefix == nil }?.identity
        return (
            PolicyCompiler.ExplainedSide(labels: labels),
            record(text, "labels", identity ?? .any, labels: labels.labels.map(\.description))
        )
    }

    private func side(
        of workload: Workload, _ text: String
    ) -> (PolicyCompiler.ExplainedSide, ControlAPI.ExplainedSide) {
        let identity = engine.allocator.assignments[workload.key]?.identity ?? .unmanaged
        var record = record(text, "endpoint", identity, labels: workload.labels.labels.map(\.description))
        record.endpoint = workload.name
        let side = PolicyCompiler.ExplainedSide(
            labels: workload.labels, address: workload.addresses.sorted().first, namedPorts: workload.namedPorts,
            isHost: workload.isHost)
        return (side, record)
    }

    private func side(
        at address: IPAddress, _ text: String
    ) -> (PolicyCompiler.ExplainedSide, ControlAPI.ExplainedSide) {
        if let workload = engine.input.workloads.values.first(where: { $0.addresses.contains(address) }) {
            var (side, record) = side(of: workload, text)
            side.address = address
            record.kind = "address"
            return (side, record)
        }
        if hostAddresses.contains(address) { return host(address, text) }
        let prefix = engine.allocator.mappings.filter { $0.key.contains(address) }.max { $0.key.length < $1.key.length }
        return (.world(address), record(text, "address", prefix?.value ?? .world, labels: ["reserved:world"]))
    }

    private func host(
        _ address: IPAddress?, _ text: String
    ) -> (PolicyCompiler.ExplainedSide, ControlAPI.ExplainedSide) {
        let labels = configuration.hostEndpoint.labels
        let side = PolicyCompiler.ExplainedSide.host(
            address ?? hostAddresses.first, labels: labels, isEndpoint: configuration.hostEndpoint.isEnabled)
        return (side, record(text, "address", .host, labels: side.labels.labels.map(\.description)))
    }

    private func record(
        _ text: String, _ kind: String, _ identity: NumericIdentity, labels: [String]
    ) -> ControlAPI.ExplainedSide {
        ControlAPI.ExplainedSide(text: text, kind: kind, identity: identity.rawValue, labels: labels)
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
            if finding.outcome == .matches || finding.outcome == .coveredByDeny {
                matched.append(rule)
            } else {
                unmatched.append(rule)
            }
        }
        return ExplainedStep(
            title: "\(side.direction) of \(name)", direction: "\(side.direction)", verdict: side.verdict.rawValue,
            reason: reason, cause: side.cause?.nameText ?? "no policy selects \(name) in this direction",
            source: side.cause?.source?.text, matched: matched, unmatched: unmatched)
    }

    private func note(_ finding: Explanation.Finding, peer: String) -> String {
        let audit = finding.isAudit ? " (audit)" : ""
        switch finding.outcome {
        case .decides: return "decides" + audit
        case .matches: return "says the same or is outweighed" + audit
        case .coveredByDeny: return "outweighed by the deny" + audit
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
