// SPDX-License-Identifier: Apache-2.0

/// Whose words a document is written in: what to do about a finding is said in them.
package enum PolicyLanguage: Hashable, Sendable {
    case kubernetes
    case cilium
    case calico
}

extension PolicyReference {
    /// Known by the kind.
    package var language: PolicyLanguage {
        switch kind {
        case "CalicoNetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "StagedGlobalNetworkPolicy",
            "Profile":
            .calico
        case _ where kind.hasPrefix("Cilium"): .cilium
        default: .kubernetes
        }
    }
}
