// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler
import PolicyModel

/// Refuses policies that would cut the way by which the host is administered.
///
/// Only the host endpoint can be cut off; workloads are not how anybody reaches the host, and the control API is a Unix
/// socket that no packet rule touches. With failsafe ports in place nothing can happen; without SSH among them a policy
/// that newly closes TCP port 22 from outside is refused.
struct LockoutGuard {
    private let host: AgentConfiguration.HostEndpoint
    private let inForce: [PolicyReference: Policy]
    private let options: CompileOptions

    init(host: AgentConfiguration.HostEndpoint, inForce: [PolicyReference: Policy], options: CompileOptions) {
        self.host = host
        self.inForce = inForce
        self.options = options
    }

    func check(_ delta: PolicyDelta) throws(AgentError) {
        let ssh = FailsafePort(port: 22, proto: .tcp, direction: .ingress)
        guard host.isEnabled, !host.failsafes.contains(ssh), concernsHosts(delta) else { return }
        var policies = inForce
        policies.apply(delta)
        guard let cause = closer(policies), closer(inForce) == nil else { return }
        throw AgentError(
            "refused: \(cause) would close TCP port 22 of this host to the outside, and `failsafePorts` does not keep "
                + "it open; allow it in a policy, add `ingress tcp/22` to the failsafe ports, or use --force")
    }

    /// Only a policy that speaks for hosts, or did so before, can make a difference.
    private func concernsHosts(_ delta: PolicyDelta) -> Bool {
        delta.references.contains { delta[$0]?.speaksForHosts ?? false || inForce[$0]?.speaksForHosts ?? false }
    }

    /// What closes SSH from outside; nil if it is open.
    private func closer(_ policies: [PolicyReference: Policy]) -> String? {
        let explainer = Explainer(policies: policies.values.filter(\.speaksForHosts), options: options)
        let explanation = explainer.explain(
            from: .world(nil), to: .host(nil, labels: host.labels, isEndpoint: true), proto: .tcp, port: 22)
        guard explanation.verdict == .deny else { return nil }
        return explanation.ingress?.cause?.text ?? "a policy"
    }
}

extension Policy {
    fileprivate var speaksForHosts: Bool {
        (rules.map(\.subject) + defaultDeny.map(\.subject)).contains { subject in
            if case .hosts = subject { true } else { false }
        }
    }
}
