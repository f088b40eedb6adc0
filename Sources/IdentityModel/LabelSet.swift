// SPDX-License-Identifier: Apache-2.0

/// A set of labels, sorted by source and key; one value for each (source, key). The unit an identity stands for.
package struct LabelSet: Hashable, Sendable {
    package let labels: [Label]

    /// Sorts; of two labels with the same source and key the later one wins.
    package init(_ labels: some Sequence<Label>) {
        var unique: [String: [String: String]] = [:]
        for label in labels { unique[label.source, default: [:]][label.key] = label.value }
        self.labels = unique.flatMap { source, pairs in
            pairs.map { Label(source: source, key: $0.key, value: $0.value) }
        }.sorted { ($0.source, $0.key) < ($1.source, $1.key) }
    }

    /// The value of `key`: of that source, or of the first source that has it if `source` is `any`.
    package func value(source: String, key: String) -> String? {
        labels.first { $0.key == key && (source == LabelSource.any || $0.source == source) }?.value
    }

    /// The endpoint's namespace label, if it has one.
    package var namespace: String? { value(source: LabelSource.kubernetes, key: WellKnownLabel.namespace) }

    /// True if it holds `reserved:<name>`.
    package func isReserved(_ name: String) -> Bool {
        value(source: LabelSource.reserved, key: name) != nil
    }
}
