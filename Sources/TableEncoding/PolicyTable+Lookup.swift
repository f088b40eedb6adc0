// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import IdentityModel
package import NetworkModel
package import PolicyCompiler

/// What the policy table says about a packet.
package struct TableDecision: Hashable, Sendable {
    package enum Verdict: String, Hashable, Sendable {
        case allow
        case deny
        /// Allowed, but the policies in audit mode would deny it.
        case audit
    }

    package var verdict: Verdict
    /// Slot of the rule that is the cause; `RULE_NONE` (0): no policy selects the subject in this direction.
    package var rule: UInt32

    package init(verdict: Verdict, rule: UInt32) {
        self.verdict = verdict
        self.rule = rule
    }
}

/// The reference decoder: reads only the image, with the probes the kernel makes.
extension PolicyTable {
    /// The value stored under exactly this key.
    package func value(of key: PolicyKey) -> PolicyValue? {
        find(policy_key(key)).map { entries[Int($0)].value }
    }

    /// The verdict for a packet of a subject.
    ///
    /// `port` in host order (ICMP: the type in the high byte); nil for packets without ports and for later fragments:
    /// they meet only entries of port prefix 0.
    package func decide(
        _ subject: SubjectState, slot: UInt16, peer: NumericIdentity, direction: Direction, proto: IPProtocol,
        port: UInt16?
    ) -> TableDecision {
        var enforced = PolicyVerdict()
        var all = PolicyVerdict()
        let side = Int(direction.rawValue)
        for (column, candidate) in [peer, .any].enumerated() {
            for length in 0...Int(PROBE_ALL_PROTOCOLS) where subject.probeMask[side][column] >> UInt32(length) & 1 != 0
            {
                let isProtocolBound = length < Int(PROBE_ALL_PROTOCOLS)
                guard port != nil || length == 0 || !isProtocolBound else { continue }
                let key = PolicyKey(
                    peer: candidate, subject: slot,
                    port: isProtocolBound ? (port ?? 0) & PolicyTable.portMask(length) : 0,
                    proto: isProtocolBound ? proto.rawValue : 0, direction: direction, prefixLength: UInt8(length))
                guard let value = value(of: key) else { continue }
                if value.enforced.precedence > enforced.precedence { enforced = value.enforced }
                if value.all.precedence > all.precedence { all = value.all }
            }
        }
        return subject.decision(enforced: enforced, all: all, direction: direction)
    }

    /// The entries in memory order.
    package func contents() -> [(key: PolicyKey, value: PolicyValue)] {
        var result: [(PolicyKey, PolicyValue)] = []
        for bucket in 0...Int(bucketMask) {
            var link = heads[bucket]
            while link != 0 {
                let entry = entries[Int(link - 1)]
                if let key = PolicyKey(entry.key) { result.append((key, entry.value)) }
                link = entry.next
            }
        }
        return result
    }

    static func portMask(_ length: Int) -> UInt16 { length == 0 ? 0 : ~0 << UInt16(16 - length) }
}

extension SubjectState {
    /// Turns the strongest entries found into a verdict: `enforced` decides, `all` can only turn allow into audit.
    package func decision(enforced: PolicyVerdict, all: PolicyVerdict, direction: Direction) -> TableDecision {
        let side = Int(direction.rawValue)
        func verdict(_ found: PolicyVerdict, _ isClosed: Bool) -> (isDenied: Bool, rule: UInt32) {
            let kind = found.precedence & UInt32(PRECEDENCE_CLASS_MASK)
            if kind >= UInt32(PRECEDENCE_CLASS_DENY) { return (true, found.rule) }
            if kind >= UInt32(PRECEDENCE_CLASS_ALLOW) { return (false, found.rule) }
            return isClosed ? (true, defaultDenyRule[side]) : (false, 0)
        }
        let first = verdict(enforced, defaultDeny[side])
        if first.isDenied { return TableDecision(verdict: .deny, rule: first.rule) }
        let second = verdict(all, defaultDenyAll[side])
        return second.isDenied
            ? TableDecision(verdict: .audit, rule: second.rule) : TableDecision(verdict: .allow, rule: first.rule)
    }
}
