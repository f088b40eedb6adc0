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
    private var useCounts: [Int] = []
    /// Groups that list exactly this prefix, each as often as it is listed.
    private var listers: [CIDR: [Int32]] = [:]
    private var lengths4 = [Int](repeating: 0, count: 33)
    private var lengths6 = [Int](repeating: 0, count: 129)
    /// All prefixes by their first bits, those shorter than that apart.
    private var inside: [CIDR: Set<CIDR>] = [:]
    private var short: Set<CIDR> = []

    var isEmpty: Bool { listers.isEmpty }

    func contains(_ prefix: CIDR) -> Bool { listers[prefix] != nil }

    mutating func add(_ group: Group, _ prefixes: [CIDR]) {
        guard !prefixes.isEmpty else { return }
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
        useCounts[Int(number)] += 1
        for prefix in prefixes {
            if listers[prefix] == nil { note(prefix, 1) }
            listers[prefix, default: []].append(number)
        }
    }

    mutating func remove(_ group: Group, _ prefixes: [CIDR]) {
        guard !prefixes.isEmpty, let number = numbers[group] else { return }
        for prefix in prefixes {
            guard let index = listers[prefix]?.firstIndex(of: number) else { continue }
            listers[prefix]?.remove(at: index)
            guard listers[prefix]?.isEmpty ?? true else { continue }
            listers[prefix] = nil
            note(prefix, -1)
        }
        useCounts[Int(number)] -= 1
        guard useCounts[Int(number)] == 0 else { return }
        groups[Int(number)] = nil
        numbers[group] = nil
    }

    /// Labels of the groups around a prefix, sorted, none twice.
    func around(_ prefix: CIDR, withWorkloadsOnly: Bool = false) -> [LabelSet] {
        guard !listers.isEmpty else { return [] }
        let lengths = prefix.isIPv4 ? lengths4 : lengths6
        var found: Set<Int32> = []
        for length in 0...prefix.length where lengths[length] > 0 {
            found.formUnion(listers[CIDR(prefix.address, length: length)] ?? [])
        }
        let labels = found.compactMap { groups[Int($0)] }.filter { !withWorkloadsOnly || $0.includesWorkloads }
            .map(\.labels)
        return [LabelSet].distinct(labels)
    }

    /// Listed prefixes inside a prefix.
    func inside(_ prefix: CIDR) -> [CIDR] {
        let coarse = GroupPrefixes.coarseLength(prefix)
        if prefix.length >= coarse {
            return (inside[CIDR(prefix.address, length: coarse)] ?? []).filter(prefix.contains)
        }
        let longer = inside.filter { prefix.contains($0.key) }.values.joined()
        return short.filter(prefix.contains) + longer
    }

    private mutating func note(_ prefix: CIDR, _ change: Int) {
        if prefix.isIPv4 { lengths4[prefix.length] += change } else { lengths6[prefix.length] += change }
        let coarse = GroupPrefixes.coarseLength(prefix)
        if prefix.length < coarse {
            if change > 0 { short.insert(prefix) } else { short.remove(prefix) }
            return
        }
        let key = CIDR(prefix.address, length: coarse)
        if change > 0 {
            inside[key, default: []].insert(prefix)
        } else {
            inside[key]?.remove(prefix)
            if inside[key]?.isEmpty ?? false { inside[key] = nil }
        }
    }

    private static func coarseLength(_ prefix: CIDR) -> Int { prefix.isIPv4 ? 16 : 48 }
}
