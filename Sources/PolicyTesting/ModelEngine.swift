// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyCompiler
import PolicyModel
package import PolicyReading
import TableEncoding

/// Judges in user space: looks up in the image of the tables what the kernel would look up in the tables.
package final class ModelEngine: PolicyTestEngine {
    package let name = "model"
    private var view: ClusterView?

    package init() {}

    package func load(_ view: ClusterView) { self.view = view }

    package func judge(_ probe: PolicyTest.Probe, at ends: [ProbeEnd]) -> [ProbeOutcome.Side] {
        ends.map { end in
            judge(probe, at: end)
        }
    }

    private func judge(_ probe: PolicyTest.Probe, at end: ProbeEnd) -> ProbeOutcome.Side {
        func side(_ verdict: PolicyTest.Expectation, _ cause: String) -> ProbeOutcome.Side {
            .init(direction: end.direction, stage: end.stage, verdict: verdict, cause: .builtin(cause))
        }
        let answered = probe.answeredICMPType
        let direction: Direction = answered == nil ? end.direction : end.direction == .egress ? .ingress : .egress
        let isToSelf = probe.source.address == probe.destination.address
        // What reaches an endpoint from itself it must have sent; a reply's request it has not.
        if isToSelf, answered == nil || direction == .egress { return side(.allow, "self") }
        let hasDetail = probe.proto.hasPorts || probe.proto == .icmp || probe.proto == .icmpv6
        if end.stage != nil, view?.subject(of: end) == nil {
            return .init(direction: end.direction, stage: end.stage, verdict: .allow, cause: nil)
        }
        // Slots are given to every workload of a test; an open verdict would hide a mistake there.
        guard let view, let subject = view.subject(of: end),
            let decision = view.tables.decide(
                subject: subject, peer: probe.peer(of: end.direction), direction: direction,
                proto: probe.proto, port: hasDetail ? answered.map { UInt16($0) << 8 } ?? probe.port : nil,
                names: view.nameNumbers(of: probe.peer(of: end.direction)))
        else { return side(.deny, "unknown subject") }
        let verdict: PolicyTest.Expectation =
            switch decision.verdict {
            case .allow: .allow
            case .deny: .deny
            case .audit: .audit
            }
        return .init(
            direction: end.direction, stage: end.stage, verdict: verdict, cause: view.cause(ofRule: decision.rule),
            tier: decision.stage.flatMap(view.line.tier), passedBy: decision.passedBy.compactMap(view.cause))
    }
}
