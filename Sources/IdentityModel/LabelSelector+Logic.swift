// SPDX-License-Identifier: Apache-2.0

/// What can be said of selectors without any labels at hand.
extension LabelSelector {
    /// False if no label set can match: two requirements about one key exclude each other.
    package var isSatisfiable: Bool {
        requirements.enumerated().allSatisfy { index, first in
            guard !first.isImpossible else { return false }
            return requirements[(index + 1)...].allSatisfy { !first.excludes($0) }
        }
    }

    /// True if every label set that `other` matches is matched by this one too.
    ///
    /// Cautious: false where that would take more than comparing requirements about the same key.
    package func covers(_ other: LabelSelector) -> Bool {
        requirements.allSatisfy { needed in other.requirements.contains { $0.implies(needed) } }
    }
}

extension LabelRequirement {
    private func isAbout(_ other: LabelRequirement) -> Bool { source == other.source && key == other.key }

    /// An empty list of allowed values.
    fileprivate var isImpossible: Bool {
        if case .isIn(let values) = operation { return values.isEmpty }
        return false
    }

    /// True if the two cannot hold at once.
    fileprivate func excludes(_ other: LabelRequirement) -> Bool {
        guard isAbout(other) else { return false }
        switch (operation, other.operation) {
        // Where any source will do, each of two values may come from its own.
        case (.isIn(let a), .isIn(let b)): return source != LabelSource.any && a.isDisjoint(with: b)
        case (.isIn(let values), .isNotIn(let others)), (.isNotIn(let others), .isIn(let values)):
            return values.isSubset(of: others)
        case (.doesNotExist, .isIn), (.isIn, .doesNotExist), (.doesNotExist, .exists), (.exists, .doesNotExist):
            return true
        case (.doesNotExist, .has), (.has, .doesNotExist): return true
        case (.isIn(let values), .has(let place, let text)), (.has(let place, let text), .isIn(let values)):
            return source != LabelSource.any && !values.contains { place.holds(text, in: $0) }
        case (.isIn(let values), .hasNot(let place, let text)), (.hasNot(let place, let text), .isIn(let values)):
            return values.allSatisfy { place.holds(text, in: $0) }
        case (.has(let a, let mine), .hasNot(let b, let theirs)), (.hasNot(let a, let mine), .has(let b, let theirs)):
            return a == b && mine == theirs
        default: return false
        }
    }

    /// True if `other` holds wherever this one does.
    fileprivate func implies(_ other: LabelRequirement) -> Bool {
        guard isAbout(other) else { return false }
        switch (operation, other.operation) {
        case (.isIn(let mine), .isIn(let theirs)): return mine.isSubset(of: theirs)
        case (.isIn(let mine), .isNotIn(let theirs)):
            return source != LabelSource.any && mine.isDisjoint(with: theirs)
        case (.isNotIn(let mine), .isNotIn(let theirs)): return theirs.isSubset(of: mine)
        case (.isIn, .exists), (.exists, .exists), (.has, .exists): return true
        case (.doesNotExist, .doesNotExist), (.doesNotExist, .isNotIn), (.doesNotExist, .hasNot): return true
        case (.isIn(let mine), .has(let place, let text)): return mine.allSatisfy { place.holds(text, in: $0) }
        case (.isIn(let mine), .hasNot(let place, let text)):
            return source != LabelSource.any && !mine.contains { place.holds(text, in: $0) }
        case (.has, .has), (.hasNot, .hasNot): return operation == other.operation
        default: return false
        }
    }
}

/// Lists of values are short, mostly of one; sets are made of long ones only.
extension [String] {
    private func areFew(with others: [String]) -> Bool { count * others.count <= 64 }

    fileprivate func isSubset(of others: [String]) -> Bool {
        areFew(with: others) ? allSatisfy(others.contains) : Set(self).isSubset(of: others)
    }

    fileprivate func isDisjoint(with others: [String]) -> Bool {
        areFew(with: others) ? !contains(where: others.contains) : Set(self).isDisjoint(with: others)
    }
}
