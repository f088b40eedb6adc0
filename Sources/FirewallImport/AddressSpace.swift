// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// A set of addresses of both families.
struct AddressSpace: Hashable, Sendable {
    var prefixes: [CIDR]

    static let all = AddressSpace(prefixes: [.allIPv4, .allIPv6])

    /// Those of one family.
    func prefixes(family: Int) -> [CIDR] { prefixes.filter { $0.isIPv4 == (family == 4) } }

    /// Everything else of the families it speaks of.
    var complement: AddressSpace {
        let families = [CIDR.allIPv4, .allIPv6].filter { whole in prefixes.contains { $0.isIPv4 == whole.isIPv4 } }
        return AddressSpace(prefixes: families.flatMap { $0.subtracting(prefixes) })
    }

    /// What both hold; takes time in proportion to the product of their lengths.
    func intersection(_ other: AddressSpace) -> AddressSpace {
        AddressSpace(
            prefixes: prefixes.flatMap { prefix in
                other.prefixes.compactMap { prefix.contains($0) ? $0 : $0.contains(prefix) ? prefix : nil }
            })
    }

    /// The fewest prefixes for disjoint ones of one family: neighbours become one.
    static func merged(_ prefixes: [CIDR]) -> [CIDR] {
        var set = Set(prefixes)
        var queue = prefixes.sorted { $0.length > $1.length }
        var index = 0
        while index < queue.count {
            let prefix = queue[index]
            index += 1
            guard set.contains(prefix), prefix.length > 0 else { continue }
            let parent = CIDR(prefix.address, length: prefix.length - 1)
            guard let halves = parent.halves, set.contains(halves.lower), set.contains(halves.upper) else { continue }
            set.remove(halves.lower)
            set.remove(halves.upper)
            set.insert(parent)
            queue.append(parent)
        }
        return set.sorted()
    }

    /// The shortest way to write disjoint prefixes of one family: as they are, or one with exceptions.
    static func written(_ prefixes: [CIDR]) -> (cidr: [CIDR], except: [CIDR]) {
        let merged = merged(prefixes)
        guard merged.count > 2, let first = merged.first else { return (merged, []) }
        var whole = first
        while !merged.allSatisfy(whole.contains), whole.length > 0 {
            whole = CIDR(whole.address, length: whole.length - 1)
        }
        let gaps = AddressSpace.merged(whole.subtracting(merged))
        return gaps.count + 1 < merged.count ? ([whole], gaps) : (merged, [])
    }
}
