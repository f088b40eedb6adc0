// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// Prefixes, names or workloads with labels of their own, by which rules select them: stored once, however many rules do.
package struct PrefixGroup: Hashable, Sendable {
    package var labels: LabelSet
    /// In order, none twice: a longer list is compared with a shorter one at a glance.
    package var prefixes: [CIDR]
    /// DNS names that only `PeerSelector.groupNames` means; in order, none twice.
    package var names: [NameSelector]
    /// True: workloads and hosts whose addresses are inside are meant too.
    package var includesWorkloads: Bool
    /// Workloads that belong to the group wherever they are: those behind a service; nil: none.
    package var members: LabelSelector?

    package init(
        labels: LabelSet, prefixes: [CIDR] = [], names: Set<NameSelector> = [], includesWorkloads: Bool = false,
        members: LabelSelector? = nil
    ) {
        self.labels = labels
        let isInOrder = zip(prefixes, prefixes.dropFirst()).allSatisfy(<)
        self.prefixes = isInOrder ? prefixes : Set(prefixes).sorted()
        self.names = names.sorted()
        self.includesWorkloads = includesWorkloads
        self.members = members
    }
}

/// What a peer must meet besides being selected.
package struct PeerCondition: Hashable, Sendable {
    /// Its address is inside one of these; nil: anywhere.
    package var within: [CIDR]?
    /// Its address is inside none of these.
    package var outside: [CIDR]
    /// None of these selects its labels.
    package var notLabels: [LabelSelector]
    /// None of these selects a group of prefixes around its address.
    package var notGroups: [LabelSelector]

    package init(
        within: [CIDR]? = nil, outside: [CIDR] = [], notLabels: [LabelSelector] = [], notGroups: [LabelSelector] = []
    ) {
        self.within = within
        self.outside = outside
        self.notLabels = notLabels
        self.notGroups = notGroups
    }

    /// True if it asks for nothing.
    package var isEmpty: Bool { within == nil && outside.isEmpty && notLabels.isEmpty && notGroups.isEmpty }

    /// Every prefix that must be told apart for it.
    package var prefixes: [CIDR] { (within ?? []) + outside }

    /// Judges a peer; `place` is its address, or what stands for it: the innermost prefix around it that a policy names.
    package func isMet(labels: LabelSet, groups: [LabelSet], place: CIDR?) -> Bool {
        if let within, !(place.map { place in within.contains { $0.contains(place) } } ?? false) { return false }
        if let place, outside.contains(where: { $0.contains(place) }) { return false }
        return !notLabels.contains { $0.matches(labels) }
            && !notGroups.contains { selector in groups.contains(where: selector.matches) }
    }
}
