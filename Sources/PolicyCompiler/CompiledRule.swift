// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// A rule with everything about it that does not depend on who it meets.
///
/// An object: the indexes refer to it.
final class CompiledRule {
    enum PeerUse {
        case label(Int)
        case prefix(Int)
    }

    let rule: PolicyRule
    let ports: LoweredPorts
    /// Selector of the subjects, in the subject index.
    var subjectUse = -1
    /// Nil: any peer.
    var peerUses: [PeerUse]?
    /// Slot while at least one subject is selected.
    var slot: UInt32 = 0
    var subjectCount = 0

    init(_ rule: PolicyRule) {
        self.rule = rule
        ports = LoweredPorts(rule.ports)
    }

    var isForHosts: Bool { rule.subject.isForHosts }
    var description: RuleDescription { .rule(rule.origin) }
}

/// A policy's effect of closing a direction.
final class CompiledClosure {
    let policy: PolicyReference
    let isAudit: Bool
    let effect: DefaultDeny
    var subjectUse = -1

    init(policy: PolicyReference, isAudit: Bool, effect: DefaultDeny) {
        self.policy = policy
        self.isAudit = isAudit
        self.effect = effect
    }
}

/// What depends on a selector of subjects.
enum SubjectUser {
    case rule(CompiledRule)
    case closure(CompiledClosure)

    func isRule(_ other: CompiledRule) -> Bool {
        if case .rule(let rule) = self { return rule === other }
        return false
    }

    func isClosure(_ other: CompiledClosure) -> Bool {
        if case .closure(let closure) = self { return closure === other }
        return false
    }
}

/// A policy that is part of the state.
struct CompiledPolicy {
    let policy: Policy
    let rules: [CompiledRule]
    let closures: [CompiledClosure]
}

extension SubjectSelector {
    var isForHosts: Bool {
        if case .hosts = self { return true }
        return false
    }

    var labels: LabelSelector {
        switch self {
        case .endpoints(let selector), .hosts(let selector): selector
        }
    }
}
