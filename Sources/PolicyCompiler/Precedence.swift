// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

/// The integer by which the kernel chooses among all entries that match a packet: the greatest wins.
///
///     bits 31...8   0xffffff - priority of the tier
///     bits  7...0   deny 192 + specificity, allow 65 + specificity, host access 64, pass 1 + specificity
///
/// So in one tier deny beats allow, whatever is more specific. Specificity never decides between deny and allow; it
/// makes the rule that is named as the cause the most specific one: ports first, then the peer. Two different keys that
/// match one packet differ in it, so no verdict depends on the order of the probes.
package enum Precedence {
    package static let denyBase: UInt32 = 192
    package static let allowBase: UInt32 = 65
    package static let passBase: UInt32 = 1

    /// The precedence of a rule's entry.
    package static func of(_ action: RuleAction, priority: UInt32, ports: PortKey, hasPeer: Bool) -> UInt32 {
        let base =
            switch action {
            case .deny: denyBase
            case .allow: allowBase
            case .pass: passBase
            }
        return tier(priority) | (base + specificity(ports: ports, hasPeer: hasPeer))
    }

    /// Below every explicit rule of the normal tier, above default deny.
    package static let hostAccess = tier(PolicyPriority.normal) | 64

    /// True if entries of this precedence deny.
    package static func isDeny(_ precedence: UInt32) -> Bool { precedence & 0xff >= denyBase }

    /// True if entries of this precedence allow.
    package static func isAllow(_ precedence: UInt32) -> Bool {
        precedence & 0xff >= 64 && precedence & 0xff < denyBase
    }

    private static func tier(_ priority: UInt32) -> UInt32 { (0xff_ffff - min(priority, 0xff_fffe)) << 8 }

    /// 0...35: a longer port prefix first, then a named peer.
    private static func specificity(ports: PortKey, hasPeer: Bool) -> UInt32 {
        let portBits = ports.prefixLength == PortKey.allProtocols.prefixLength ? 0 : UInt32(ports.prefixLength) + 1
        return 2 * portBits + (hasPeer ? 1 : 0)
    }
}
