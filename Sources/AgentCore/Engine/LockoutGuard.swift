// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler
import PolicyModel

/// Finds policies that would cut the way by which the host is administered.
///
/// Only the host endpoint can be cut off; workloads are not how anybody reaches the host, and the control API is a Unix
/// socket that no packet rule touches. What must stay open, as a failsafe port or by policy, is TCP port 22 from outside
/// and the SSH session out of which a change is asked for.
struct LockoutGuard {
    private let host: AgentConfiguration.HostEndpoint
    private let node: String
    private let inForce: [PolicyReference: Policy]
    private let options: CompileOptions

    /// A way in that a policy would close.
    struct Lockout {
        var port: UInt16
        /// The policy or rule that closes it.
        var cause: String
        /// Whence.
        var origin: String
    }

    /// `node`: the host's name.
    init(
        host: AgentConfiguration.HostEndpoint, node: String, inForce: [PolicyReference: Policy], options: CompileOptions
    ) {
        self.host = host
        self.node = node
        self.inForce = inForce
        self.options = options
    }

    /// Throws if the change closes a way in that is open under the policies in force.
    func check(_ delta: PolicyDelta, session: AdministrationSession? = nil) throws(AgentError) {
        guard concernsHosts(delta) else { return }
        var policies = inForce
        policies.apply(delta)
        guard let lockout = lockout(policies, session: session) else { return }
        guard self.lockout(inForce, session: session) == nil else { return }
        throw AgentError(
            "refused: \(lockout.cause) would close TCP port \(lockout.port) of this host to \(lockout.origin), and "
                + "`failsafePorts` does not keep it open; allow it in a policy, add `ingress tcp/\(lockout.port)` to the "
                + "failsafe ports, or use --force")
    }

    /// Only a policy that speaks for hosts, or did so before, can make a difference.
    func concernsHosts(_ delta: PolicyDelta) -> Bool {
        delta.references.contains { reference in
            [delta[reference], inForce[reference]].contains { policy in
                policy.map { $0.speaksForHosts || $0.definesSomething } ?? false
            }
        }
    }

    /// The first way in that the policies close; nil if all are open.
    func lockout(_ policies: [PolicyReference: Policy], session: AdministrationSession? = nil) -> Lockout? {
        guard host.isEnabled else { return nil }
        let ways = LockoutGuard.ways(session).filter { way in
            !host.failsafes.contains(FailsafePort(port: way.port, proto: .tcp, direction: .ingress))
        }
        guard !ways.isEmpty else { return nil }
        let explainer = Explainer(
            policies: policies.values.filter { $0.speaksForHosts || $0.definesSomething }, options: options)
        let own = LabelSet(host.labels + [Label(source: LabelSource.reserved, key: "host")])
        let labels = EndpointGrants(of: policies.values, node: node).applied(labels: own, isHost: true).labels.labels
        let side = ExplainedSide.host(nil, labels: labels, isEndpoint: true)
        for (port, client) in ways {
            let explanation = explainer.explain(from: .world(client), to: side, proto: .tcp, port: port)
            let closing =
                explanation.verdict == .deny
                ? explanation.ingress : closingAnswers(explainer, at: side, to: .world(client), from: port)
            guard let closing else { continue }
            return Lockout(
                port: port, cause: closing.cause?.text ?? "a policy",
                origin: client.map { "\($0), where you are connected from" } ?? "the outside")
        }
        return nil
    }

    /// What cuts the answers of a way that lets packets in; nil: nothing.
    ///
    /// Policies without flows are asked about answers as about any packet. Where they alone let the packet in there is no
    /// flow either, so that an answer which they leave open is judged as one of a connection met mid-stream: like what it
    /// answers.
    private func closingAnswers(
        _ explainer: Explainer, at host: PolicyCompiler.ExplainedSide, to client: PolicyCompiler.ExplainedSide,
        from port: UInt16
    ) -> Explanation.Side? {
        let ahead = explainer.explainAhead(at: host, peer: client, direction: .ingress, proto: .tcp, port: port)
        // What the policies about flows say counts only where no flow is begun.
        let flow =
            ahead?.isFinal == true
            ? explainer.explainFlow(at: host, peer: client, direction: .ingress, proto: .tcp, port: port) : nil
        for clientPort in LockoutGuard.clientPorts {
            let answer = explainer.explainAhead(
                at: host, peer: client, direction: .egress, proto: .tcp, port: clientPort)
            if let answer, answer.side.verdict == .deny { return answer.side }
            if let flow, flow.verdict == .deny, answer?.isFinal != true { return flow }
        }
        return nil
    }

    /// Ports that clients choose, by which rules about ranges of them are found: the ends and the middle of Linux's range,
    /// and the highest.
    private static let clientPorts: [UInt16] = [32_768, 45_000, 60_999, 65_535]

    /// Who comes in over SSH from a known address need not be let in from everywhere.
    private static func ways(_ session: AdministrationSession?) -> [(port: UInt16, client: IPAddress?)] {
        guard let session else { return [(22, nil)] }
        return (session.port == 22 ? [] : [(22, nil)]) + [(session.port, session.client)]
    }
}

extension Policy {
    /// True if other policies rely on it.
    fileprivate var definesSomething: Bool { definedTier != nil || prefixGroup != nil || grantsLabels }

    fileprivate var speaksForHosts: Bool {
        (rules.map(\.subject) + defaultDeny.map(\.subject)).contains { subject in
            subject.kind == .host || subject.kind == .stage(.untracked)
        }
    }
}
