// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// What depends on a selector of subjects: a rule or a closure.
///
/// An object, because the indexes refer to it.
class SubjectUser {
    /// Number of the selector in the subject index.
    var subjectUse = -1

    let subject: SubjectSelector

    init(_ subject: SubjectSelector) { self.subject = subject }
}

/// A rule with everything about it that does not depend on who it meets.
final class CompiledRule: SubjectUser {
    /// A selector of one of the indexes, and what its members must meet besides.
    struct PeerUse {
        enum Index: Int {
            case labels
            case prefixes
            case groups
            case groupNames
            case names
        }

        var index: Index
        var id: Int
        var condition: PeerCondition?

        func isMet(by peer: ResolvedIdentity) -> Bool {
            condition?.isMet(labels: peer.labels, groups: peer.groups, place: peer.prefix) ?? true
        }
    }

    let rule: PolicyRule
    /// Of its tier in the tables; nil: the tier has found no room.
    let stage: UInt8?
    /// In its tier; of two rules that match, the lower one wins.
    let rank: UInt32
    let standing: PolicyStanding
    let ports: LoweredPorts
    /// By index and number, for `uses(of:in:)`; nil: any peer.
    private(set) var peerUses: [PeerUse]?
    /// Slot while at least one subject is selected.
    var slot: UInt32 = 0
    var subjectCount = 0

    init(_ rule: PolicyRule, stage: UInt8?, rank: UInt32, standing: PolicyStanding) {
        self.rule = rule
        self.stage = stage
        self.rank = rank
        self.standing = standing
        ports = LoweredPorts(rule.ports)
        super.init(rule.subject)
    }

    /// Notes the selectors that the rule uses.
    func setPeerUses(_ uses: [PeerUse]) {
        peerUses = uses.sorted { ($0.index.rawValue, $0.id) < ($1.index.rawValue, $1.id) }
    }

    /// The uses of one selector, found without a look at the others: a rule may list 100 000 prefixes, and each of them
    /// that comes or goes asks.
    func uses(of id: Int, in index: PeerUse.Index) -> ArraySlice<PeerUse> {
        guard let peerUses else { return [] }
        var (low, high) = (0, peerUses.count)
        while low < high {
            let middle = (low + high) / 2
            let use = peerUses[middle]
            if (use.index.rawValue, use.id) < (index.rawValue, id) { low = middle + 1 } else { high = middle }
        }
        return peerUses[low...].prefix { $0.index == index && $0.id == id }
    }

    /// Port names that every peer is asked for: those of a rule that sends to anyone.
    var namesOfAnyPeer: [NamedPort] { rule.direction == .egress && rule.peers == .any ? ports.names : [] }

    var description: RuleDescription { .rule(rule.origin) }

    /// Whether this one is named of two equally strong rules.
    func precedes(_ other: CompiledRule) -> Bool {
        let (a, b) = (rule.origin, other.rule.origin)
        if a.policy != b.policy { return a.policy < b.policy }
        return (a.section, a.index) < (b.section, b.index)
    }
}

/// A policy's effect of closing a direction.
final class CompiledClosure: SubjectUser {
    let policy: PolicyReference
    /// Nil: the tier does not close, or has found no room.
    let stage: UInt8?
    let standing: PolicyStanding
    let direction: Direction

    init(_ effect: DefaultDeny, of policy: Policy, stage: UInt8?, standing: PolicyStanding) {
        self.policy = policy.reference
        self.stage = stage
        self.standing = standing
        direction = effect.direction
        super.init(effect.subject)
    }
}

/// A policy that is part of the state.
struct CompiledPolicy {
    let policy: Policy
    let rules: [CompiledRule]
    let closures: [CompiledClosure]
}

extension SubjectSelector {
    /// The host itself, without what is judged apart from it.
    var isForHosts: Bool { kind == .host }
}
