// SPDX-License-Identifier: Apache-2.0

/// The unit an identity stands for: labels sorted by source and key, one value for each (source, key).
///
/// One list without spare room, because there are as many sets as workloads in a cluster.
package struct LabelSet: Sendable {
    package let labels: [Label]

    /// Sorts; of two labels with the same source and key the later one wins.
    package init(_ labels: some Sequence<Label>) {
        let given = Array(labels)
        let isInOrder = zip(given, given.dropFirst()).allSatisfy { ($0.source, $0.key) < ($1.source, $1.key) }
        let sorted = isInOrder ? given : LabelSet.distinct(given)
        var exact: [Label] = []
        exact.reserveCapacity(sorted.count)
        exact += sorted
        self.labels = exact
    }

    private static func distinct(_ labels: [Label]) -> [Label] {
        var unique: [String: [String: String]] = [:]
        for label in labels { unique[label.source, default: [:]][label.key] = label.value }
        return unique.sorted { $0.key < $1.key }.flatMap { source, pairs in
            pairs.sorted { $0.key < $1.key }.map { Label(source: source, key: $0.key, value: $0.value) }
        }
    }

    /// No label.
    package static let empty = LabelSet([])

    /// The value of `key`: of that source, or of the first source that has it if `source` is `any`.
    package func value(source: String, key: String) -> String? {
        labels.first { $0.key == key && (source == LabelSource.any || $0.source == source) }?.value
    }

    /// True if `key`, of that source or of any, has a value that meets the condition.
    ///
    /// With source `any` every source's value counts: a label of one source hides none of another.
    package func has(source: String, key: String, where condition: (String) -> Bool = { _ in true }) -> Bool {
        for label in labels where label.key == key && (source == LabelSource.any || label.source == source) {
            if condition(label.value) { return true }
        }
        return false
    }

    /// The endpoint's namespace label, if it has one.
    package var namespace: String? { value(source: LabelSource.kubernetes, key: WellKnownLabel.namespace) }

    /// True if it holds `reserved:<name>`.
    package func isReserved(_ name: String) -> Bool {
        value(source: LabelSource.reserved, key: name) != nil
    }

    /// These labels and the others; where both have a (source, key) the others win.
    package func merging(_ others: some Sequence<Label>) -> LabelSet {
        LabelSet(labels + others)
    }
}

extension LabelSet: Hashable {
    package static func == (a: LabelSet, b: LabelSet) -> Bool { a.labels == b.labels }

    package func hash(into hasher: inout Hasher) { hasher.combine(labels) }
}

extension LabelSet: CustomStringConvertible {
    /// The labels in order, separated by commas; the same set always gives the same text.
    package var description: String { labels.map(\.description).joined(separator: ",") }

    /// Reads what `description` prints: labels separated by commas.
    package static func parse(
        _ text: String, defaultSource: String = LabelSource.any
    ) throws(LabelSyntaxError) -> LabelSet {
        var labels: [Label] = []
        for part in text.split(separator: ",") where !part.allSatisfy(\.isWhitespace) {
            labels.append(
                try Label.parse(String(part.drop(while: \.isWhitespace)), defaultSource: defaultSource))
        }
        return LabelSet(labels)
    }
}
