// SPDX-License-Identifier: Apache-2.0

/// In which of the two verdicts of a packet a policy has a say: that of the enforced policies, or that of all policies,
/// those in audit mode included.
package enum PolicyStanding: UInt8, Hashable, Sendable, CaseIterable {
    case both
    /// In audit mode.
    case rehearsed
    /// Enforced, while its replacement or its removal is rehearsed.
    case leaving
    /// In audit mode, and its replacement or its removal is rehearsed.
    case neither

    package init(isAudit: Bool, isReplaced: Bool) {
        self = isAudit ? (isReplaced ? .neither : .rehearsed) : isReplaced ? .leaving : .both
    }

    package var isEnforced: Bool { self == .both || self == .leaving }

    /// True if it is among all policies.
    package var isAmongAll: Bool { self == .both || self == .rehearsed }
}

extension Sequence<Policy> {
    /// Those in whose place others are rehearsed.
    package var replaced: Set<PolicyReference> { Set(compactMap(\.standsInFor)) }
}
