// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

/// The integer by which the kernel chooses among all entries that match a packet: the greatest wins.
///
///     bits 31...8   0xffffff - rank of the rule in its tier (`TierRanks`)
///     bits  7...0   deny 192 + specificity, allow 65 + specificity, host access 64, pass 1 + specificity
///
/// So among rules of one rank deny beats allow beats pass, whatever is more specific. Specificity never decides between
/// them; it makes the rule that is named as the cause the most specific one: ports first, then the peer. Two different
/// keys that match one packet differ in it, so no verdict depends on the order of the probes. Tiers never meet here:
/// each has entries of its own.
package enum Precedence {
    package static let denyBase: UInt32 = 192
    package static let allowBase: UInt32 = 65
    package static let passBase: UInt32 = 1

    /// The precedence of a rule's entry.
    package static func of(_ action: RuleAction, rank: UInt32, ports: PortKey, hasPeer: Bool) -> UInt32 {
        let base =
            switch action {
            case .deny: denyBase
            case .allow: allowBase
            case .pass: passBase
            }
        return place(rank) | (base + specificity(ports: ports, hasPeer: hasPeer))
    }

    /// Below every rule of a tier, above its default deny.
    package static let hostAccess = place(0xff_fffe) | 64

    /// True if entries of this precedence deny.
    package static func isDeny(_ precedence: UInt32) -> Bool { precedence & 0xff >= denyBase }

    /// True if entries of this precedence allow.
    package static func isAllow(_ precedence: UInt32) -> Bool {
        precedence & 0xff >= 64 && precedence & 0xff < denyBase
    }

    private static func place(_ rank: UInt32) -> UInt32 { (0xff_ffff - min(rank, 0xff_fffe)) << 8 }

    /// 0...35: a longer port prefix first, then a named peer.
    private static func specificity(ports: PortKey, hasPeer: Bool) -> UInt32 {
        let portBits = ports.prefixLength == PortKey.allProtocols.prefixLength ? 0 : UInt32(ports.prefixLength) + 1
        return 2 * portBits + (hasPeer ? 1 : 0)
    }
}
