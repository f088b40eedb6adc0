// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

/// Prefixes that groups list, and which groups are around a prefix or an address.
///
/// Groups with the same labels are one: no selector tells them apart.
struct GroupPrefixes: Sendable {
    struct Group: Hashable, Sendable {
        var labels: LabelSet
        var includesWorkloads: Bool
    }

    private var numbers: [Group: Int32] = [:]
    private var groups: [Group?] = []
    /// Prefixes that each group lists.
    private var useCounts: [Int] = []
    /// Groups that list exactly this prefix, each as often as it is listed: mostly one, the others apart.
    private var listers: [CIDR: Int32] = [:]
    private var moreListers: [CIDR: [Int32]] = [:]
    private var lengths4 = [Int](repeating: 0, count: 33)
    private var lengths6 = [Int](repeating: 0, count: 129)
    private var sorted = SortedPrefixes()
    /// What was added and removed since a change began; nil: none has.
    private var steps: [(group: Group, prefixes: [CIDR], isAddition: Bool)]?

    var isEmpty: Bool { listers.isEmpty }

    func contains(_ prefix: CIDR) -> Bool { listers[prefix] != nil }

    mutating func add(_ group: Group, _ prefixes: [CIDR]) {
        guard !prefixes.isEmpty else { return }
        steps?.append((group, prefixes, true))
        let number: Int32
        if let known = numbers[group] {
            number = known
        } else if let free = groups.firstIndex(where: { $0 == nil }) {
            number = Int32(free)
            groups[free] = group
        } else {
            number = Int32(groups.count)
            groups.append(group)
            useCounts.append(0)
        }
        numbers[group] = number
        useCounts[Int(number)] += prefixes.count
        for prefix in prefixes {
            if listers[prefix] == nil {
                listers[prefix] = number
                note(prefix, 1)
            } else {
                moreListers[prefix, default: []].append(number)
            }
        }
    }

    mutating func remove(_ group: Group, _ prefixes: [CIDR]) {
        guard !prefixes.isEmpty, let number = numbers[group] else { return }
        steps?.append((group, prefixes, false))
        for prefix in prefixes {
            guard unlist(prefix, number) else { continue }
            useCounts[Int(number)] -= 1
            if listers[prefix] == nil { note(prefix, -1) }
        }
        guard useCounts[Int(number)] == 0 else { return }
        groups[Int(number)] = nil
        numbers[group] = nil
    }

    /// False if the group does not list the prefix.
    private mutating func unlist(_ prefix: CIDR, _ number: Int32) -> Bool {
        if listers[prefix] == number {
            listers[prefix] = moreListers[prefix]?.popLast()
        } else if let index = moreListers[prefix]?.firstIndex(of: number) {
            moreListers[prefix]?.remove(at: index)
        } else {
            return false
        }
        if moreListers[prefix]?.isEmpty ?? false { moreListers[prefix] = nil }
        return true
    }

    /// Labels of the groups around a prefix, sorted, none twice.
    func around(_ prefix: CIDR, withWorkloadsOnly: Bool = false) -> [LabelSet] {
        guard !listers.isEmpty else { return [] }
        let lengths = prefix.isIPv4 ? lengths4 : lengths6
        var found: Set<Int32> = []
        for length in 0...prefix.length where lengths[length] > 0 {
            let around = CIDR(prefix.address, length: length)
            guard let first = listers[around] else { continue }
            found.insert(first)
            found.formUnion(moreListers[around] ?? [])
        }
        let labels = found.compactMap { groups[Int($0)] }.filter { !withWorkloadsOnly || $0.includesWorkloads }
            .map(\.labels)
        return [LabelSet].distinct(labels)
    }

    /// Listed prefixes inside a prefix.
    func inside(_ prefix: CIDR) -> [CIDR] { sorted.inside(prefix) }

    mutating func revise(_ revision: TableRevision) {
        let past = steps ?? []
        steps = revision == .begin ? [] : nil
        guard revision == .revert else { return }
        for step in past.reversed() {
            step.isAddition ? remove(step.group, step.prefixes) : add(step.group, step.prefixes)
        }
    }

    private mutating func note(_ prefix: CIDR, _ change: Int) {
        if prefix.isIPv4 { lengths4[prefix.length] += change } else { lengths6[prefix.length] += change }
        if change > 0 { sorted.insert(prefix) } else { sorted.remove(prefix) }
    }
}
