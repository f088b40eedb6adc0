// SPDX-License-Identifier: Apache-2.0

/// What a policy says, wherever it stands in a file: two that mean the same to everybody are equal.
///
/// Where rules are judged together neither their order nor repetitions count. Findings that the author means are no part of it.
package struct PolicyMeaning: Hashable, Sendable {
    /// Without rules, and at no place.
    private let frame: Policy
    private let rules: [PolicyRule]
    private let unorderedRules: Set<PolicyRule>
    private let defaultDeny: Set<DefaultDeny>

    package init(_ policy: Policy) {
        let origin = RuleOrigin(policy: policy.reference, section: "", index: 0, source: .nowhere)
        let placeless = policy.rules.map { rule in
            var rule = rule
            rule.origin = origin
            return rule
        }
        (rules, unorderedRules) = policy.order == .together ? ([], Set(placeless)) : (placeless, [])
        defaultDeny = Set(policy.defaultDeny)
        var frame = policy
        frame.source = .nowhere
        frame.rules = []
        frame.defaultDeny = []
        frame.lintExemptions = [:]
        self.frame = frame
    }
}

extension PolicyMeaning {
    /// The policies, sorted, that are in one of two states only, or say something else there.
    package static func differing(_ old: [Policy], _ new: [Policy]) -> [PolicyReference] {
        let (before, after) = (Set(old.map(PolicyMeaning.init)), Set(new.map(PolicyMeaning.init)))
        return Set(before.symmetricDifference(after).map(\.frame.reference)).sorted()
    }
}
