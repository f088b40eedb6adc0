// SPDX-License-Identifier: Apache-2.0

import PolicyModel

extension AgentState {
    /// Documents about this host that would be carried out otherwise than they say, with the reason.
    ///
    /// The host is one endpoint with one policy on all of its devices, and only where the configuration says so.
    func unsuitableHostDocuments(_ delta: PolicyDelta) -> [(reference: PolicyReference, reason: String)] {
        let host = configuration.hostEndpoint
        return delta.settings.values.sorted { $0.reference < $1.reference }.compactMap { policy in
            guard policy.isAbout(node: node) else { return nil }
            let name = policy.reference.text
            guard host.isEnabled else {
                return (
                    policy.reference,
                    "\(name) is about this host, which is no endpoint: set `hostEndpoint.enabled` in the agent's "
                        + "configuration"
                )
            }
            guard let device = policy.device(onNode: node), host.devices != [device] else { return nil }
            return (
                policy.reference,
                "\(name) is about device \(device) alone, and all devices of this host have one policy: write "
                    + "`devices: [\(device)]` in the agent's configuration, or interfaceName: \"*\""
            )
        }
    }

    /// Takes unsuitable documents out of a change and says so in `status`; what they were before stays in force.
    func leaveOutUnsuitable(_ delta: inout PolicyDelta) {
        let unsuitable = unsuitableHostDocuments(delta)
        for (reference, _) in unsuitable { delta.leaveOut(reference) }
        if unsuitable.isEmpty {
            clearProblem("host documents")
        } else {
            report("host documents", unsuitable.map(\.reason).joined(separator: "; "))
        }
    }
}
