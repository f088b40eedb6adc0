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
        guard let (ahead, isFinal) = judgeUntracked(probe, at: end) else { return judgeFlow(probe, at: end) }
        return isFinal ? ahead : ahead.followed(by: judgeFlow(probe, at: end))
    }

    /// What policies without flows say; nil: nothing.
    ///
    /// `isFinal`: nothing else is asked.
    private func judgeUntracked(
        _ probe: PolicyTest.Probe, at end: ProbeEnd
    ) -> (side: ProbeOutcome.Side, isFinal: Bool)? {
        guard probe.source.address != probe.destination.address, let view,
            let subject = view.untrackedSubject(of: end),
            let decision = view.tables.decide(
                subject: subject, peer: probe.peer(of: end.direction), direction: end.direction, proto: probe.proto,
                port: probe.detail),
            decision.isSettled || decision.verdict != .allow
        else { return nil }
        // What it lets in, a service's own policies judge at its sockets.
        let isService = view.endpoint(of: end.workload)?.isService ?? false
        if isService, decision.verdict == .allow { return nil }
        return (side(end, decision, view), decision.isSettled && (!isService || decision.verdict == .deny))
    }

    private func judgeFlow(_ probe: PolicyTest.Probe, at end: ProbeEnd) -> ProbeOutcome.Side {
        func side(_ verdict: PolicyTest.Expectation, _ cause: String) -> ProbeOutcome.Side {
            .init(direction: end.direction, stage: end.stage, verdict: verdict, cause: .builtin(cause))
        }
        let answered = probe.answeredICMPType
        let direction: Direction = answered == nil ? end.direction : end.direction == .egress ? .ingress : .egress
        let isToSelf = probe.source.address == probe.destination.address
        // What reaches an endpoint from itself it must have sent; a reply's request it has not. Services of the host share its
        // addresses: there that says nothing of who sent it.
        let isService = view?.endpoint(of: end.workload)?.isService ?? false
        if isToSelf, !isService, answered == nil || direction == .egress { return side(.allow, "self") }
        if end.stage != nil, view?.subject(of: end) == nil {
            return .init(direction: end.direction, stage: end.stage, verdict: .allow, cause: nil)
        }
        // Slots are given to every workload of a test; an open verdict would hide a mistake there.
        guard let view, let subject = view.subject(of: end),
            let decision = view.tables.decide(
                subject: subject, peer: probe.peer(of: end.direction), direction: direction,
                proto: probe.proto, port: answered.map { UInt16($0) << 8 } ?? probe.detail,
                names: view.nameNumbers(of: probe.peer(of: end.direction)))
        else { return side(.deny, "unknown subject") }
        return self.side(end, decision, view)
    }

    private func side(_ end: ProbeEnd, _ decision: TableDecision, _ view: ClusterView) -> ProbeOutcome.Side {
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
