// SPDX-License-Identifier: Apache-2.0

/// The unit an identity stands for: labels sorted by source and key, one value for each (source, key).
package struct LabelSet: Sendable {
    package let labels: [Label]
    /// Where each source's labels stand in `labels`: a lookup is a binary search in one or a few of them.
    private let sourceRanges: [Range<Int>]

    /// Sorts; of two labels with the same source and key the later one wins.
    package init(_ labels: some Sequence<Label>) {
        var unique: [String: [String: String]] = [:]
        for label in labels { unique[label.source, default: [:]][label.key] = label.value }
        var sorted: [Label] = []
        var ranges: [Range<Int>] = []
        for (source, pairs) in unique.sorted(by: { $0.key < $1.key }) {
            let start = sorted.count
            for (key, value) in pairs.sorted(by: { $0.key < $1.key }) {
                sorted.append(Label(source: source, key: key, value: value))
            }
            ranges.append(start..<sorted.count)
        }
        self.labels = sorted
        self.sourceRanges = ranges
    }

    /// No label.
    package static let empty = LabelSet([])

    /// The value of `key`: of that source, or of the first source that has it if `source` is `any`.
    package func value(source: String, key: String) -> String? {
        for range in sourceRanges where source == LabelSource.any || labels[range.lowerBound].source == source {
            if let value = value(of: key, in: range) { return value }
        }
        return nil
    }

    /// True if `key`, of that source or of any, has a value that meets the condition.
    ///
    /// With source `any` every source's value counts: a label of one source hides none of another.
    package func has(source: String, key: String, where condition: (String) -> Bool = { _ in true }) -> Bool {
        for range in sourceRanges where source == LabelSource.any || labels[range.lowerBound].source == source {
            if let value = value(of: key, in: range), condition(value) { return true }
        }
        return false
    }

    private func value(of key: String, in range: Range<Int>) -> String? {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = (low + high) / 2
            if labels[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low < range.upperBound && labels[low].key == key ? labels[low].value : nil
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
