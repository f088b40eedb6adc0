// SPDX-License-Identifier: Apache-2.0

/// A predicate over label sets: every requirement must hold, so that none matches everything.
package struct LabelSelector: Hashable, Sendable {
    package var requirements: [LabelRequirement]

    package init(_ requirements: [LabelRequirement] = []) { self.requirements = requirements }

    package func matches(_ labels: LabelSet) -> Bool {
        requirements.allSatisfy { $0.matches(labels) }
    }
}

/// One condition on one key, as in Kubernetes `matchExpressions`.
package struct LabelRequirement: Hashable, Sendable {
    package enum Operator: Hashable, Sendable {
        /// The key is present with one of the values, from one source at least.
        case isIn([String])
        /// The key is absent or has none of the values, from any source.
        case isNotIn([String])
        case exists
        case doesNotExist
        /// The key is present, and its value has this text at that place.
        case has(Place, String)
        /// The key is absent, or its value has not.
        case hasNot(Place, String)
    }

    /// Where in a value a text stands.
    package enum Place: String, Hashable, Sendable {
        case anywhere = "contains"
        case start = "starts with"
        case end = "ends with"

        func holds(_ text: String, in value: String) -> Bool {
            switch self {
            case .anywhere: text.isEmpty || value.contains(text)
            case .start: value.hasPrefix(text)
            case .end: value.hasSuffix(text)
            }
        }
    }

    /// `any` accepts the key from every source: several sources may have it, each with a value of its own.
    package let source: String
    package let key: String
    package let operation: Operator

    package init(source: String = LabelSource.any, key: String, _ operation: Operator) {
        self.source = source
        self.key = key
        self.operation = operation
    }

    package func matches(_ labels: LabelSet) -> Bool {
        switch operation {
        case .isIn(let values): labels.has(source: source, key: key, where: values.contains)
        case .isNotIn(let values): !labels.has(source: source, key: key, where: values.contains)
        case .exists: labels.has(source: source, key: key)
        case .doesNotExist: !labels.has(source: source, key: key)
        case .has(let place, let text): labels.has(source: source, key: key) { place.holds(text, in: $0) }
        case .hasNot(let place, let text): !labels.has(source: source, key: key) { place.holds(text, in: $0) }
        }
    }
}
