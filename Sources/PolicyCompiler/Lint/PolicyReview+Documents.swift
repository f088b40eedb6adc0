// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// What the documents alone tell.
extension PolicyReview {
    /// Rules that another rule with the same effect makes superfluous.
    func redundancies(_ ranked: RankedRules) -> [LintFinding] {
        let byReference = Dictionary(policies.map { ($0.reference, $0) }) { first, _ in first }
        return ranked.rules.compactMap { rule in
            guard rule.rule.canMatch, ranked.winner(over: rule) == nil, let other = ranked.equivalent(of: rule),
                let policy = byReference[rule.rule.origin.policy]
            else { return nil }
            return finding(
                policy, .note, .redundant,
                "\(other.rule.origin.text) at \(other.rule.origin.source.text) does the same for all of it",
                remedy: "remove one of the two, unless they are to be changed apart", at: rule.rule.origin)
        }
    }

    func lapse(of policy: Policy) -> LintFinding? {
        guard let end = policy.validUntil, let now = surroundings.now else { return nil }
        let days = (now - end) / 86_400
        let since = days == 0 ? "today" : days == 1 ? "yesterday" : "\(days) days ago"
        return finding(
            policy, .warning, .lapsed, "its time was over \(since) (bulkhead.dev/validUntil): it is out of force",
            remedy: "delete the policy, or give it a later end")
    }

    /// Nothing closed, and no rule that anything can match.
    func effect(of policy: Policy) -> [LintFinding] {
        // Others rely on what it defines.
        guard policy.definedTier == nil, policy.prefixGroup == nil, !policy.grantsLabels, policy.logSelection == nil
        else { return [] }
        guard policy.defaultDeny.isEmpty, !policy.rules.contains(where: \.canMatch) else { return [] }
        if let place = policy.standsInFor {
            guard !policies.contains(where: { $0.reference == place }) else { return [] }
            return [
                finding(
                    policy, .warning, .noEffect, "there is no \(place.text) whose removal it could rehearse",
                    remedy: "correct the name and the namespace, or delete it")
            ]
        }
        return [
            finding(
                policy, .warning, .noEffect, "it closes nothing, and no rule of it can match: no verdict depends on it",
                remedy: "write what it is to allow or deny, or delete it")
        ]
    }

    /// A tier or a profile that a policy names and nobody defines.
    func definitions(of policy: Policy) -> [LintFinding] {
        var found: [LintFinding] = []
        if case .own(let name) = policy.tier, !definedTiers.contains(name) {
            found.append(
                finding(
                    policy, .warning, .undefinedTier,
                    "no document defines tier \(name): it is asked behind every tier that has an order, and denies at its end",
                    remedy: "write a Tier named \(name), or correct the name"))
        }
        for name in policy.profiles.sorted() where !definedProfiles.contains(name) {
            found.append(
                finding(
                    policy, .warning, .undefinedTier, "no document defines profile \(name): it says nothing",
                    remedy: "write a Profile named \(name), or correct the name"))
        }
        return found
    }

    /// Peers by a service or a CIDR group that no document here describes.
    ///
    /// Where workloads are known, the compiler says which peers there are none of.
    func descriptions(of policy: Policy) -> [LintFinding] {
        guard surroundings.workloads == nil else { return [] }
        return policy.rules.compactMap { rule in
            for case .group(let group) in rule.peers.selectors.map(\.unconditional) {
                let selector = group.described
                guard let kind = selector.describedKind, !describedGroups.contains(selector) else { continue }
                let isGroup = kind == LabelSource.cidrGroup
                return finding(
                    policy, .warning, .peerSelectsNothing,
                    "no \(isGroup ? "CiliumCIDRGroup" : "Service") here matches \(selector): the rule means nobody by it",
                    remedy:
                        "correct the name or the labels, or give the file that has the \(isGroup ? "group" : "service") too",
                    at: rule.origin)
            }
            return nil
        }
    }

    /// Names of sets that a rule selects, and does not mean for what it asks besides.
    func leftOutNames(of policy: Policy) -> [LintFinding] {
        guard !namedGroups.isEmpty else { return [] }
        var told: Set<RuleOrigin> = []
        return policy.rules.compactMap { rule in
            guard rule.direction == .egress, rule.action == .allow, rule == rule.withoutGroupNames else { return nil }
            let names = rule.peers.selectors.flatMap { peer -> [NameSelector] in
                guard case .group(let group) = peer.unconditional else { return [] }
                return namedGroups.names(group)
            }
            guard let first = names.first, told.insert(rule.origin).inserted else { return nil }
            let stage: HostStage? = if case .stage(let stage, _) = rule.subject { stage } else { nil }
            let place =
                switch stage {
                case nil: "in a rule that asks more of the addresses"
                case .forward: "for what passes through the host"
                case .untracked: "in a policy without flows (`doNotTrack`)"
                }
            return finding(
                policy, stage == nil ? .warning : .note, .setNamesLeftOut,
                "it selects a set with names (\(first)\(Set(names).count > 1 ? " …" : "")), which open nothing \(place)",
                remedy: stage == nil
                    ? "write a rule with the selector alone, without `nets`, `notNets`, `notSelector` and `ipVersion`"
                    : "list the addresses in `nets` of the set",
                at: rule.origin)
        }
    }

    /// Everyone by prefix, but of one IP family only.
    func families(of policy: Policy) -> [LintFinding] {
        policy.rules.compactMap { rule in
            let whole = rule.peers.selectors.compactMap { selector -> Bool? in
                guard case .prefix(let prefix, _, _) = selector, prefix.length == 0 else { return nil }
                return prefix.isIPv4
            }
            guard let isIPv4 = whole.first, whole.allSatisfy({ $0 == isIPv4 }) else { return nil }
            // Named in parts, the other family was thought of.
            let hasOther = rule.peers.selectors.contains { selector in
                if case .prefix(let prefix, _, _) = selector { prefix.isIPv4 != isIPv4 } else { false }
            }
            guard !hasOther else { return nil }
            let (mine, other) = isIPv4 ? ("0.0.0.0/0", "::/0") : ("::/0", "0.0.0.0/0")
            let isDeny = rule.action == .deny
            return finding(
                policy, isDeny ? .warning : .note, .oneFamilyOnly,
                "\(mine) is everyone over \(isIPv4 ? "IPv4" : "IPv6") only; over \(isIPv4 ? "IPv6" : "IPv4") the rule "
                    + (isDeny ? "denies nobody" : "says nothing"),
                remedy: "add \(other) if both are meant", at: rule.origin)
        }
    }
}

extension PolicyRule {
    /// False if a selector contradicts itself.
    var isSatisfiable: Bool {
        subject.labels.isSatisfiable
            && peers.selectors.allSatisfy { selector in
                selector.labels?.isSatisfiable ?? true
            }
    }

    /// False if no packet can match, whatever its labels and ports.
    var canMatch: Bool { isSatisfiable && peers != .some([]) && ports != .some([]) }
}
