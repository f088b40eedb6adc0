// SPDX-License-Identifier: Apache-2.0

extension Policy {
    /// The same as if it stood nowhere: equal for documents that say the same, whatever their files and lines are.
    package var meaning: Policy {
        var meaning = self
        meaning.source = .nowhere
        meaning.rules = rules.map { rule in
            var rule = rule
            rule.origin = RuleOrigin(
                policy: rule.origin.policy, section: rule.origin.section, index: rule.origin.index, source: .nowhere)
            return rule
        }
        return meaning
    }

    /// True if both say the same, be it at different places.
    package func saysTheSame(as other: Policy) -> Bool {
        // Most that differ do so in how many rules they have or in whom they are about.
        guard reference == other.reference, rules.count == other.rules.count, defaultDeny == other.defaultDeny else {
            return false
        }
        return self == other || meaning == other.meaning
    }
}

extension SourceLocation {
    /// Of what no document says.
    package static let nowhere = SourceLocation(file: "", line: 0, column: 0)
}
