// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// Groups that workloads belong to by their labels: what stands behind a service.
struct GroupMembers: Sendable {
    private struct Group: Hashable, Sendable {
        var labels: LabelSet
        var selector: LabelSelector
    }

    /// What every member of a group has, its namespace and one more label; nil: the group does not ask for one value.
    private struct Anchor: Hashable, Sendable {
        var namespace: String?
        var key: String?
        var value: String?

        init(namespace: String?, _ key: String?, _ value: String?) {
            (self.namespace, self.key, self.value) = (namespace, key, value)
        }

        init(of selector: LabelSelector) {
            for requirement in selector.requirements {
                guard case .isIn(let values) = requirement.operation, values.count == 1 else { continue }
                if requirement.key == WellKnownLabel.namespace {
                    namespace = values[0]
                } else {
                    (key, value) = (requirement.key, values[0])
                }
            }
        }
    }

    private var counts = RevertibleTable<Group, Int>()
    /// A workload is compared with the few groups that ask for labels it has, however many services there are.
    private var byAnchor = RevertibleTable<Anchor, [Group]>()

    mutating func revise(_ revision: TableRevision) {
        counts.revise(revision)
        byAnchor.revise(revision)
    }

    /// True if this is the first use.
    mutating func add(_ labels: LabelSet, _ selector: LabelSelector) -> Bool {
        let group = Group(labels: labels, selector: selector)
        let count = (counts[group] ?? 0) + 1
        counts[group] = count
        guard count == 1 else { return false }
        byAnchor[Anchor(of: selector)] = (byAnchor[Anchor(of: selector)] ?? []) + [group]
        return true
    }

    /// True if this was the last use.
    mutating func remove(_ labels: LabelSet, _ selector: LabelSelector) -> Bool {
        let group = Group(labels: labels, selector: selector)
        guard let count = counts[group] else { return false }
        counts[group] = count > 1 ? count - 1 : nil
        guard count == 1 else { return false }
        let others = (byAnchor[Anchor(of: selector)] ?? []).filter { $0 != group }
        byAnchor[Anchor(of: selector)] = others.isEmpty ? nil : others
        return true
    }

    /// Labels of the groups that a workload with these labels belongs to, sorted, none twice.
    func groups(of labels: LabelSet) -> [LabelSet] {
        guard !counts.values.isEmpty else { return [] }
        var found: [LabelSet] = []
        func look(_ anchor: Anchor) {
            for group in byAnchor[anchor] ?? [] where group.selector.matches(labels) { found.append(group.labels) }
        }
        for namespace in labels.namespaces.map(Optional.some) + [nil] {
            look(Anchor(namespace: namespace, nil, nil))
            for label in labels.labels { look(Anchor(namespace: namespace, label.key, label.value)) }
        }
        return [LabelSet].distinct(found)
    }
}

extension LabelSet {
    /// What any source says its namespace is; none twice.
    var namespaces: Set<String> {
        Set(labels.lazy.filter { $0.key == WellKnownLabel.namespace }.map(\.value))
    }
}

extension [LabelSet] {
    /// Sorted, none twice: the same sets give the same list.
    static func distinct(_ sets: [LabelSet]) -> [LabelSet] {
        sets.count < 2 ? sets : Set(sets).sorted { $0.description < $1.description }
    }
}
