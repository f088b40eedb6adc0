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
            let fitting = LabelRequirement.values(for: about).lazy.map { value in
                Label(source: source, key: requirement.key, value: value)
            }.first { label in about.allSatisfy { $0.matches(LabelSet([label])) } }
            guard let fitting else { return nil }
            labels = labels.merging([fitting])
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

    /// What may fit requirements about one key, the plainest first.
    fileprivate static func values(for requirements: [LabelRequirement]) -> [String] {
        var listed: [String] = []
        var parts: [Place: [String]] = [:]
        for requirement in requirements {
            switch requirement.operation {
            case .isIn(let values): listed += values
            case .has(let place, let text): parts[place, default: []].append(text)
            case .exists, .isNotIn, .doesNotExist, .hasNot: continue
            }
        }
        // The longest beginning has the shorter ones in it, and so has the longest end.
        let longest = [Place.start, .end].map { place in parts[place]?.max { $0.count < $1.count } ?? "" }
        let joined = parts.isEmpty ? [] : [longest[0] + (parts[.anywhere] ?? []).joined() + longest[1]]
        let plainest = requirements.contains { $0.key == WellKnownLabel.namespace } ? "default" : ""
        return listed + parts.values.joined().sorted() + joined + [plainest, "any"]
    }
}
