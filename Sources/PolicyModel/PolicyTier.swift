// SPDX-License-Identifier: Apache-2.0

/// A group of policies that is judged by itself; what it does not decide is left to the next tier.
///
/// Tiers are asked one after the other (`TierLine`). A rule that allows or denies ends the search; a rule that passes, or
/// no rule at all, leads to the next tier, unless policies of the tier close the direction: then "no rule" is its default
/// deny. After the last tier everything is allowed.
package enum PolicyTier: Hashable, Sendable {
    /// NetworkPolicy, the Cilium kinds, and Calico policies that name no other tier.
    case normal
    /// AdminNetworkPolicy, and ClusterNetworkPolicy of tier Admin.
    case admin
    /// BaselineAdminNetworkPolicy, and ClusterNetworkPolicy of tier Baseline.
    case baseline
    /// A tier that a Calico `Tier` defines.
    case own(String)
    /// Calico's preDNAT policies, before every tier; it closes nothing.
    case preDNAT
    /// Calico profiles, behind every tier.
    case profile

    /// As users read it.
    package var name: String {
        switch self {
        case .admin: "admin"
        case .normal: "default"
        case .baseline: "baseline"
        case .own(let name): name
        case .preDNAT: "preDNAT"
        case .profile: "profile"
        }
    }
}

/// What a document says about a tier.
package struct TierDefinition: Hashable, Sendable {
    package var name: String
    /// Nil: behind every tier that has one.
    package var order: Double?
    /// True: whom a policy of the tier selects is denied at its end; false: the next tier is asked.
    package var closes: Bool

    package init(name: String, order: Double? = nil, closes: Bool = true) {
        self.name = name
        self.order = order
        self.closes = closes
    }
}

/// How a policy's rules compare with others of their tier.
package enum PolicyOrder: Hashable, Sendable {
    /// Deny beats allow, whichever policy or rule says so.
    case together
    /// The first rule that matches wins: by priority (0 first), then by name, then by the rules' order.
    case priority(UInt16)
    /// As Calico orders policies: the first rule that matches wins, by order, none last, then by name, then by the rules'
    /// order. What is judged together has order 1000 there.
    case ordered(Double?)

    /// The priorities that dialects may give.
    package static let priorities: ClosedRange<UInt16> = 0...1000

    /// Of a policy that is asked behind all that have a priority of their own.
    package static let lastPriority: UInt16 = 1001
}
