// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// A selector as alternatives, each a list of requirements that must all hold: the form that the label index knows.
struct CalicoSelectorForm: Hashable {
    /// Any of these; none: it selects nothing.
    var alternatives: [LabelSelector]

    /// Selects everything.
    static let everything = CalicoSelectorForm(alternatives: [LabelSelector()])

    /// Alternatives of one selector, and of selectors that are combined.
    static let alternativesMax = 128

    /// A selector whose alternatives would be too many.
    struct TooLarge: Error {}

    /// What keys and `global()` become.
    struct Keys {
        /// Labels that everything selected has: asking for who has none selects nothing.
        var isEverywhere: (String) -> Bool
        var key: (String) -> (source: String, key: String)
        /// The value that every workload has, and nobody else; nil: the key is another one.
        var constant: (String) -> String?

        init(
            isEverywhere: @escaping (String) -> Bool = { _ in false },
            constant: @escaping (String) -> String? = { _ in nil },
            key: @escaping (String) -> (source: String, key: String)
        ) {
            self.isEverywhere = isEverywhere
            self.constant = constant
            self.key = key
        }
    }

    /// Brings a selector into the form; `isNegated`: its opposite.
    init(_ selector: CalicoSelector, _ keys: Keys, isNegated: Bool = false) throws(TooLarge) {
        switch (selector, isNegated) {
        case (.all, false): self = .everything
        case (.all, true): self.init(alternatives: [])
        case (.global, let isNegated):
            self = CalicoSelectorForm(
                alternatives: [
                    LabelSelector([
                        LabelRequirement(
                            source: LabelSource.kubernetes, key: WellKnownLabel.namespace,
                            isNegated ? .exists : .doesNotExist)
                    ])
                ])
        case (.test(let written, let operation), let isNegated):
            let (source, key) = keys.key(written)
            let meant = isNegated ? operation.opposite : operation
            if let value = keys.constant(written) {
                self.init(alternatives: CalicoSelectorForm.workloads(meant, value))
                return
            }
            // What is in no set at all is nothing; not being in it says nothing.
            if meant == .isIn([]) || meant == .doesNotExist && keys.isEverywhere(written) {
                self.init(alternatives: [])
            } else if meant == .isNotIn([]) {
                self = .everything
            } else {
                self.init(alternatives: [LabelSelector([LabelRequirement(source: source, key: key, meant)])])
            }
        case (.not(let inner), let isNegated): try self.init(inner, keys, isNegated: !isNegated)
        case (.both(let a, let b), false), (.either(let a, let b), true):
            self = try CalicoSelectorForm(a, keys, isNegated: isNegated)
                .and(CalicoSelectorForm(b, keys, isNegated: isNegated))
        case (.either(let a, let b), false), (.both(let a, let b), true):
            self = try CalicoSelectorForm(a, keys, isNegated: isNegated)
                .or(CalicoSelectorForm(b, keys, isNegated: isNegated))
        }
    }

    init(alternatives: [LabelSelector]) { self.alternatives = alternatives }

    /// What a test means of a label that workloads alone have, all with one value.
    private static func workloads(_ operation: LabelRequirement.Operator, _ value: String) -> [LabelSelector] {
        let test = LabelSelector([LabelRequirement(source: LabelSource.any, key: "x", operation)])
        let holds = test.matches(LabelSet([Label(source: LabelSource.any, key: "x", value: value)]))
        func namespace(_ operation: LabelRequirement.Operator) -> LabelRequirement {
            LabelRequirement(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, operation)
        }
        func set(_ operation: LabelRequirement.Operator) -> LabelRequirement {
            LabelRequirement(source: CalicoScope.setMarker.source, key: CalicoScope.setMarker.key, operation)
        }
        return switch (holds, test.matches(.empty)) {
        case (true, true): [LabelSelector()]
        // Sets of a namespace are no workloads.
        case (true, false): [LabelSelector([namespace(.exists), set(.doesNotExist)])]
        case (false, true): [LabelSelector([namespace(.doesNotExist)]), LabelSelector([set(.exists)])]
        case (false, false): []
        }
    }

    /// What both select.
    func and(_ other: CalicoSelectorForm) throws(TooLarge) -> CalicoSelectorForm {
        var result: [LabelSelector] = []
        for mine in alternatives {
            for theirs in other.alternatives {
                let added = theirs.requirements.filter { !mine.requirements.contains($0) }
                let together = LabelSelector(mine.requirements + added)
                guard together.isSatisfiable else { continue }
                CalicoSelectorForm.add(together, to: &result)
                guard result.count <= CalicoSelectorForm.alternativesMax else { throw TooLarge() }
            }
        }
        return CalicoSelectorForm(alternatives: result)
    }

    /// What either selects.
    func or(_ other: CalicoSelectorForm) throws(TooLarge) -> CalicoSelectorForm {
        var result = alternatives
        for each in other.alternatives { CalicoSelectorForm.add(each, to: &result) }
        guard result.count <= CalicoSelectorForm.alternativesMax else { throw TooLarge() }
        return CalicoSelectorForm(alternatives: result)
    }

    /// Adds an alternative that no other one covers; values of one key are joined.
    private static func add(_ selector: LabelSelector, to list: inout [LabelSelector]) {
        guard !list.contains(where: { $0.covers(selector) }) else { return }
        list.removeAll { selector.covers($0) }
        for index in list.indices {
            guard let joined = joined(list[index], selector) else { continue }
            list[index] = joined
            return
        }
        list.append(selector)
    }

    /// `a in (x), b` or `a in (y), b` is `a in (x,y), b`.
    private static func joined(_ a: LabelSelector, _ b: LabelSelector) -> LabelSelector? {
        let (mine, theirs) = (a.requirements, b.requirements)
        guard mine.count == theirs.count else { return nil }
        let differing = mine.indices.filter { mine[$0] != theirs[$0] }
        guard differing.count == 1, let index = differing.first, mine[index].source == theirs[index].source,
            mine[index].key == theirs[index].key, case .isIn(let values) = mine[index].operation,
            case .isIn(let others) = theirs[index].operation
        else { return nil }
        var requirements = mine
        requirements[index] = LabelRequirement(
            source: mine[index].source, key: mine[index].key,
            .isIn(values + others.filter { !values.contains($0) }))
        return LabelSelector(requirements)
    }
}

extension LabelRequirement.Operator {
    /// Holds exactly where this one does not.
    fileprivate var opposite: LabelRequirement.Operator {
        switch self {
        case .isIn(let values): .isNotIn(values)
        case .isNotIn(let values): .isIn(values)
        case .exists: .doesNotExist
        case .doesNotExist: .exists
        case .has(let place, let text): .hasNot(place, text)
        case .hasNot(let place, let text): .has(place, text)
        }
    }
}
