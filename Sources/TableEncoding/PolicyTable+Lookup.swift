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
    /// Slot of the rule that is the cause; `RULE_NONE` (0): no policy says anything about the packet.
    package var rule: UInt32
    /// The tier in which it was decided, by its stage; nil: in no tier.
    package var stage: UInt8?
    /// Slots of the rules by which earlier tiers passed the decision on, in order.
    package var passedBy: [UInt32]
    /// A rule or default deny of an enforced policy said so; else what follows the last tier did.
    package var isSettled: Bool

    init(_ verdict: Verdict, _ walk: TierWalk, isSettled: Bool) {
        self.verdict = verdict
        self.isSettled = isSettled
        rule = walk.rule
        stage = walk.slot.map(SubjectStage.stage)
        passedBy = walk.passers
    }
}

/// The reference decoder: reads only the image, with the probes the kernel makes.
extension PolicyTable {
    /// The value stored under exactly this key.
    package func value(of key: PolicyKey) -> PolicyValue? {
        find(policy_key(key)).map { entries[Int($0)].value }
    }

    /// The strongest entries for a packet in one tier of a subject.
    ///
    /// `port` in host order (ICMP: the type in the high byte); nil for packets without ports and for later fragments:
    /// they meet only entries of port prefix 0. `names`: numbers of DNS names that the peer has as well.
    package func strongest(
        _ subject: SubjectState, slot: UInt16, peer: NumericIdentity, direction: Direction, proto: IPProtocol,
        port: UInt16?, names: [NumericIdentity] = []
    ) -> PolicyValue {
        var enforced = PolicyVerdict()
        var all = PolicyVerdict()
        let side = Int(direction.rawValue)
        let named = direction == .egress && subject.probeMask[0][0] & SubjectState.namesProbe != 0 ? names : []
        for (column, candidate) in [(0, peer), (1, .any)] + named.map({ (0, $0) }) {
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
        return PolicyValue(enforced: enforced, all: all)
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

/// The way of one class of policies through the tiers of a subject.
struct TierWalk {
    private(set) var isDenied = false
    /// Of the entry or default deny that settled it; 0: nothing did.
    private(set) var rule: UInt32 = 0
    /// Where it was settled.
    private(set) var slot: UInt16?
    /// The rules that passed it on.
    private(set) var passers: [UInt32] = []

    /// Hears the next tier, unless an earlier one has settled it.
    mutating func ask(_ slot: UInt16, _ found: PolicyVerdict, isClosed: Bool, closedBy: UInt32) {
        guard self.slot == nil else { return }
        let kind = found.precedence & UInt32(PRECEDENCE_CLASS_MASK)
        if kind >= UInt32(PRECEDENCE_CLASS_ALLOW) {
            (self.slot, rule, isDenied) = (slot, found.rule, kind >= UInt32(PRECEDENCE_CLASS_DENY))
        } else if found.precedence != 0 {
            passers.append(found.rule)
        } else if isClosed {
            (self.slot, rule, isDenied) = (slot, closedBy, true)
        }
    }
}
