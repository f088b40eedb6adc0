// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// A rule with its place among those of its tier.
struct RankedRule {
    let rule: PolicyRule
    let tier: PolicyTier
    let rank: UInt32
    /// Among all rules, in the order of the policies.
    let position: Int
}

/// The rules of a set, found by a condition that whatever they cover must meet.
///
/// So that a rule is compared with few others, however many there are.
struct RankedRules {
    let rules: [RankedRule]
    /// Policies in whose place others are rehearsed.
    private let replaced: Set<PolicyReference>
    private let line: TierLine
    /// Others that one rule is compared with at most: all of them in sets that people write, and fewer in huge ones, where
    /// findings may be missing, so that looking stays cheap beside reading.
    private let comparisonsMax: Int
    private var byKey: [String: [Int]] = [:]
    /// The rank of the first rule of a tier that passes, by direction: rules behind it may not be asked.
    private var firstPass: [String: UInt32] = [:]
    /// What `winner(over:)` answers, by position: every user asks for all of them, some twice.
    private var winners: [Int?] = []

    init(_ policies: [Policy]) {
        let sorted = policies.sorted { $0.reference < $1.reference }
        let ranks = TierRanks(sorted)
        let hasNames = !NamedGroups(sorted).isEmpty
        var all: [RankedRule] = []
        for policy in sorted {
            for (position, written) in policy.rules.enumerated() {
                // Where no group has names, rules mean as much without them, and more is alike.
                let rule = hasNames ? written : written.withoutGroupNames
                all.append(
                    RankedRule(
                        rule: rule, tier: policy.tier, rank: ranks.rank(of: position, in: policy), position: all.count))
            }
        }
        rules = all
        replaced = sorted.replaced
        comparisonsMax = max(100, 1_000_000 / max(1, all.count))
        line = TierLine(of: sorted)
        for ranked in all {
            for key in RankedRules.keys(ofCovering: ranked.rule) { byKey[key, default: []].append(ranked.position) }
            guard ranked.rule.action == .pass else { continue }
            let key = "\(ranked.tier) \(ranked.rule.direction)"
            firstPass[key] = min(firstPass[key] ?? .max, ranked.rank)
        }
        winners = all.map { ranked in
            ranked.rule.canMatch ? firstCovering(ranked) { outweighs($0, ranked) } : nil
        }
    }

    /// The first rule that decides whatever this one speaks of, another way; nil if there is none, or if no packet can
    /// match it by its own words.
    func winner(over ranked: RankedRule) -> RankedRule? { winners[ranked.position].map { rules[$0] } }

    /// The first rule that says the same of everything that this one speaks of; of two equal ones the later has it.
    func equivalent(of ranked: RankedRule) -> RankedRule? {
        firstCovering(ranked) { other in
            other.tier == ranked.tier && other.rank == ranked.rank && other.rule.action == ranked.rule.action
                && other.rule.isAudit == ranked.rule.isAudit
                && (other.position < ranked.position || !ranked.rule.covers(other.rule))
        }.map { rules[$0] }
    }

    /// The position of the first rule of another statement that covers this one and suits.
    private func firstCovering(_ ranked: RankedRule, where suits: (RankedRule) -> Bool) -> Int? {
        var left = comparisonsMax
        for key in RankedRules.keys(ofCovered: ranked.rule) {
            for position in byKey[key] ?? [] {
                guard left > 0 else { return nil }
                left -= 1
                guard position != ranked.position, rules[position].rule.covers(ranked.rule),
                    rules[position].rule.origin != ranked.rule.origin,
                    // What a rehearsal leaves out takes nothing from what is rehearsed.
                    !(ranked.rule.isAudit && replaced.contains(rules[position].rule.origin.policy)),
                    suits(rules[position])
                else { continue }
                return position
            }
        }
        return nil
    }

    private func outweighs(_ other: RankedRule, _ ranked: RankedRule) -> Bool {
        if other.tier == ranked.tier {
            // Of rules judged together deny wins; of rules in order the earlier one, whatever it says.
            return other.rank < ranked.rank
                || (other.rank == ranked.rank && other.rule.action == .deny && ranked.rule.action == .allow)
        }
        guard line.isAsked(other.tier, before: ranked.tier), other.rule.action != .pass else { return false }
        // A rule before it may pass, and then it has no say.
        return line.places.map(\.tier).filter { $0 == other.tier || line.isAsked($0, before: other.tier) }
            .allSatisfy { tier in
                let pass = firstPass["\(tier) \(other.rule.direction)"] ?? .max
                return tier != other.tier ? pass == .max : pass > other.rank
            }
    }

    /// A label selector covers only selectors that restrict the same key to some of its values.
    private static func keys(ofCovering rule: PolicyRule) -> [String] {
        let lists = rule.subject.labels.requirements.compactMap { requirement -> [String]? in
            guard case .isIn(let values) = requirement.operation else { return nil }
            return values.map { "\(rule.direction) \(requirement.source):\(requirement.key)=\($0)" }
        }
        return lists.last ?? ["\(rule.direction)"]
    }

    private static func keys(ofCovered rule: PolicyRule) -> [String] {
        rule.subject.labels.requirements.compactMap { requirement in
            guard case .isIn(let values) = requirement.operation, let value = values.first else { return nil }
            return "\(rule.direction) \(requirement.source):\(requirement.key)=\(value)"
        } + ["\(rule.direction)"]
    }
}
