// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import PolicyModel

/// What about documents looks unintended whatever the workloads are: needs no agent.
package enum PolicyLint {
    /// One entry per rule and cause, in the order of the policies.
    package static func diagnostics(_ policies: [Policy]) -> [RuleDiagnostic] {
        let sorted = policies.sorted { $0.reference < $1.reference }
        let ranks = TierRanks(sorted)
        let rules = sorted.flatMap { policy in
            policy.rules.enumerated().map { position, rule in
                RankedRule(rule: rule, tier: policy.tier, rank: ranks.rank(of: position, in: policy))
            }
        }
        let denies = DenyIndex(rules)
        return rules.flatMap { diagnostics(of: $0, denies) }
    }

    private static func diagnostics(of ranked: RankedRule, _ denies: DenyIndex) -> [RuleDiagnostic] {
        let rule = ranked.rule
        var found: [RuleDiagnostic] = []
        func report(_ kind: RuleDiagnostic.Kind, _ message: String) {
            found.append(RuleDiagnostic(kind: kind, origin: rule.origin, message: message))
        }
        if !rule.subject.labels.isSatisfiable {
            report(.contradictory, contradiction("subject", rule.subject.labels))
        }
        for selector in rule.peers.selectors {
            if case .labels(let labels) = selector, !labels.isSatisfiable {
                report(.contradictory, contradiction("peer", labels))
            }
        }
        if found.isEmpty, rule.action == .allow, let deny = denies.first(covering: ranked) {
            report(
                .unreachable,
                "everything it allows is denied by \(deny.origin.text) at \(deny.origin.source.text), which wins: "
                    + "remove one of the two, or narrow the deny rule")
        }
        return found
    }

    private static func contradiction(_ side: String, _ selector: LabelSelector) -> String {
        "the \(side) selector \(selector) contradicts itself, so the rule never applies: correct its labels"
    }
}

/// A rule with its place among those of its tier.
private struct RankedRule {
    let rule: PolicyRule
    let tier: PolicyTier
    let rank: UInt32

    /// True if this one decides whatever `other` speaks of: other tiers may be passed by.
    func outweighs(_ other: RankedRule) -> Bool {
        tier == other.tier && rank <= other.rank && rule.covers(other.rule)
    }
}

/// The deny rules of a set by a condition that whatever they cover must meet.
///
/// So that a rule is compared with few of them, however many there are.
private struct DenyIndex {
    private var rules: [String: [RankedRule]] = [:]

    init(_ rules: [RankedRule]) {
        for ranked in rules where ranked.rule.action == .deny {
            for key in DenyIndex.keys(ofDeny: ranked.rule) { self.rules[key, default: []].append(ranked) }
        }
    }

    func first(covering allowed: RankedRule) -> PolicyRule? {
        DenyIndex.keys(ofAllow: allowed.rule).lazy.flatMap { rules[$0] ?? [] }.first { $0.outweighs(allowed) }?.rule
    }

    /// A label selector covers only selectors that restrict the same key to some of its values.
    private static func keys(ofDeny rule: PolicyRule) -> [String] {
        let lists = rule.subject.labels.requirements.compactMap { requirement -> [String]? in
            guard case .isIn(let values) = requirement.operation else { return nil }
            return values.map { "\(rule.direction) \(requirement.source):\(requirement.key)=\($0)" }
        }
        return lists.last ?? ["\(rule.direction)"]
    }

    private static func keys(ofAllow rule: PolicyRule) -> [String] {
        rule.subject.labels.requirements.compactMap { requirement in
            guard case .isIn(let values) = requirement.operation, let value = values.first else { return nil }
            return "\(rule.direction) \(requirement.source):\(requirement.key)=\(value)"
        } + ["\(rule.direction)"]
    }
}
