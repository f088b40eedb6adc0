// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// Groups that workloads belong to by their labels: what stands behind a service.
struct GroupMembers: Sendable {
    private struct Group: Hashable, Sendable {
        var labels: LabelSet
        var selector: LabelSelector
    }

    private var counts = RevertibleTable<Group, Int>()

    mutating func revise(_ revision: TableRevision) { counts.revise(revision) }

    /// True if this is the first use.
    mutating func add(_ labels: LabelSet, _ selector: LabelSelector) -> Bool {
        let count = (counts[Group(labels: labels, selector: selector)] ?? 0) + 1
        counts[Group(labels: labels, selector: selector)] = count
        return count == 1
    }

    /// True if this was the last use.
    mutating func remove(_ labels: LabelSet, _ selector: LabelSelector) -> Bool {
        guard let count = counts[Group(labels: labels, selector: selector)] else { return false }
        counts[Group(labels: labels, selector: selector)] = count > 1 ? count - 1 : nil
        return count == 1
    }

    /// Labels of the groups that a workload with these labels belongs to, sorted, none twice.
    func groups(of labels: LabelSet) -> [LabelSet] {
        guard !counts.values.isEmpty else { return [] }
        return [LabelSet].distinct(counts.values.keys.filter { $0.selector.matches(labels) }.map(\.labels))
    }
}

extension [LabelSet] {
    /// Sorted, none twice: the same sets give the same list.
    static func distinct(_ sets: [LabelSet]) -> [LabelSet] {
        sets.count < 2 ? sets : Set(sets).sorted { $0.description < $1.description }
    }
}
