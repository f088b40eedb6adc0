// SPDX-License-Identifier: Apache-2.0

/// Why a packet was dropped, or would have been.
///
/// Raw values are the kernel's `DROP_*` and are never reused.
package enum DropReason: UInt8, Hashable, Sendable, CaseIterable {
    case none = 0
    case policyDefaultDeny = 1
    case policyDeny = 2
    case sourceAddress = 3
    case truncated = 4
    case ipHeader = 5
    case extensionHeaders = 6
    case vlanDepth = 7
    case etherType = 8
    case ipProtocol = 9
    case fragmentUntracked = 10
    case fragmentMalformed = 11
    case conntrackFull = 12
    case endpointUnknown = 13
    case configuration = 14
    case icmpUnrelated = 15
    case icmpMalformed = 16
    case arpSpoofed = 17
    case neighborSpoofed = 18
    case tcpFlags = 19
    case policyTable = 20
    case destinationAddress = 21
    case conntrackShare = 22
    case linkPayload = 23
    case shieldFeed = 24
    case shieldBlock = 25
    case shieldMartian = 26
    case shieldLand = 27
    case shieldTransport = 28
    case shieldReflector = 29
    case shieldPackets = 30
    case shieldBytes = 31
    case shieldConnections = 32
    case shieldFragments = 33
    case shieldIcmp = 34

    /// The C constant in kebab-case without its prefix: `DROP_POLICY_DEFAULT_DENY` is `policy-default-deny`.
    package var name: String { DropReason.texts[Int(rawValue)].name }

    /// What happened, in one line.
    package var explanation: String { DropReason.texts[Int(rawValue)].explanation }

    /// What to do about it, in one line.
    package var remedy: String { DropReason.texts[Int(rawValue)].remedy }

    /// Finds a reason by its name; nil if there is none of that name.
    package init?(name: String) {
        guard let match = DropReason.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }
}
