// SPDX-License-Identifier: Apache-2.0

/// What the datapath decided about a packet.
///
/// Raw values are the kernel's `VERDICT_*`.
package enum Verdict: UInt8, Hashable, Sendable, CaseIterable {
    case allow = 1
    case deny = 2
    /// Allowed, but would be denied outside audit mode.
    case audit = 3
    /// Handed to the L7 proxy.
    case redirect = 4

    /// The word used in output and filters.
    package var name: String {
        switch self {
        case .allow: "allow"
        case .deny: "deny"
        case .audit: "audit"
        case .redirect: "redirect"
        }
    }

    /// Finds a verdict by its word; nil if there is none of that name.
    package init?(name: String) {
        guard let match = Verdict.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }
}

/// Conntrack's view of a packet.
///
/// Raw values are the kernel's `FLOW_*`.
package enum FlowState: UInt8, Hashable, Sendable, CaseIterable {
    case new = 1
    case established = 2
    case reply = 3
    case related = 4
    case closed = 5
    case untracked = 6

    /// The word used in output.
    package var name: String {
        switch self {
        case .new: "new"
        case .established: "established"
        case .reply: "reply"
        case .related: "related"
        case .closed: "closed"
        case .untracked: "untracked"
        }
    }
}
