// SPDX-License-Identifier: Apache-2.0

/// A group of policies that is judged by itself; what it does not decide is left to the next tier.
///
/// Tiers are asked in the order of `order`. A rule that allows or denies ends the search; a rule that passes, or no rule
/// at all, leads to the next tier, unless policies of the tier close the direction: then "no rule" is its default deny.
/// After the last tier everything is allowed. The raw value is the tier's stage in the tables.
package enum PolicyTier: UInt8, Hashable, Sendable, CaseIterable, Comparable {
    /// NetworkPolicy and the Cilium kinds.
    case normal = 0
    /// AdminNetworkPolicy, and ClusterNetworkPolicy of tier Admin.
    case admin = 1
    /// BaselineAdminNetworkPolicy, and ClusterNetworkPolicy of tier Baseline.
    case baseline = 2

    /// All of them, first asked first.
    package static let inOrder = allCases.sorted()

    /// The place on the line of tiers, on Calico's scale: less is asked earlier.
    package var order: UInt32 {
        switch self {
        case .admin: 1000
        case .normal: 1_000_000
        case .baseline: 10_000_000
        }
    }

    /// As users read it.
    package var name: String {
        switch self {
        case .admin: "admin"
        case .normal: "default"
        case .baseline: "baseline"
        }
    }

    package static func < (a: PolicyTier, b: PolicyTier) -> Bool { a.order < b.order }
}

/// How a policy's rules compare with others of their tier.
package enum PolicyOrder: Hashable, Sendable {
    /// Deny beats allow, whichever policy or rule says so.
    case together
    /// The first rule that matches wins: by priority (0 first), then by name, then by the rules' order.
    case priority(UInt16)

    /// The priorities that dialects may give.
    package static let priorities: ClosedRange<UInt16> = 0...1000

    /// Of a policy that is asked behind all that have a priority of their own.
    package static let lastPriority: UInt16 = 1001
}
