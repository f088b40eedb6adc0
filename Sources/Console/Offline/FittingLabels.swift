// SPDX-License-Identifier: Apache-2.0

import IdentityModel

extension LabelSelector {
    /// The fewest labels, besides some that there are, with which somebody is selected; nil: with none that this finds.
    ///
    /// Labels of no source are those of Kubernetes. What documents mark somebody with, and whom the product itself tells
    /// apart (`reserved`), is not to be had by a label of one's own.
    func fittingLabels(besides given: LabelSet = .empty) -> LabelSet? {
        var labels = given
        for requirement in requirements where requirement.asksForLabel && !requirement.matches(labels) {
            guard requirement.source != LabelSource.reserved, !requirement.key.contains(":") else { return nil }
            let source = requirement.source == LabelSource.any ? LabelSource.kubernetes : requirement.source
            let about = requirements.filter {
                $0.key == requirement.key && ($0.source == source || $0.source == LabelSource.any)
            }
            func fitting(_ values: [String]) -> Label? {
                values.lazy.map { Label(source: source, key: requirement.key, value: $0) }
                    .first { label in about.allSatisfy { $0.matches(LabelSet([label])) } }
            }
            let values = FittingValues(about)
            guard let found = fitting(values.plain) ?? fitting(values.filled) else { return nil }
            labels = labels.merging([found])
        }
        return matches(labels) ? labels : nil
    }
}

extension LabelRequirement {
    fileprivate var asksForLabel: Bool {
        switch operation {
        case .isIn, .exists, .has: true
        case .isNotIn, .doesNotExist, .hasNot: false
        }
    }
}

/// What may fit requirements about one key.
private struct FittingValues {
    private var listed: [String] = []
    private var parts: [LabelRequirement.Place: [String]] = [:]
    /// Values that will not do.
    private var refused = 0
    private let isNamespace: Bool
    /// More are not tried in a row.
    private static let refusedMax = 64

    init(_ requirements: [LabelRequirement]) {
        isNamespace = requirements.contains { $0.key == WellKnownLabel.namespace }
        for requirement in requirements {
            switch requirement.operation {
            case .isIn(let values): listed += values
            case .has(let place, let text): parts[place, default: []].append(text)
            case .isNotIn(let values): refused += values.count
            case .hasNot: refused += 1
            case .exists, .doesNotExist: continue
            }
        }
    }

    /// The plainest first.
    var plain: [String] {
        let joined = parts.isEmpty ? [] : [start + (parts[.anywhere] ?? []).joined() + end]
        return listed + parts.values.joined().sorted() + joined + [isNamespace ? "default" : "", "any"]
    }

    /// The texts that are asked for, with more around them than any list refuses.
    var filled: [String] {
        let letters = "abcdefghijklmnopqrstuvwxyz0123456789"
        return (1...(min(refused, FittingValues.refusedMax) + 1)).flatMap { length in
            letters.map { letter in
                let filling = String(repeating: letter, count: length)
                return ([start] + (parts[.anywhere] ?? []) + [end]).joined(separator: filling)
            }
        }
    }

    // The longest beginning has the shorter ones in it, and so has the longest end.
    private var start: String { longest(.start) }
    private var end: String { longest(.end) }

    private func longest(_ place: LabelRequirement.Place) -> String {
        parts[place]?.max { $0.count < $1.count } ?? ""
    }
}
