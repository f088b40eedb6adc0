// SPDX-License-Identifier: Apache-2.0

/// Prefixes of both families, made once and then asked what they cover: in the logarithm of their number.
package struct PrefixSet: Hashable, Sendable {
    /// In order, IPv4 first; none lies within another, so the last one not behind an address is the only one that can
    /// cover it.
    private let disjoint: [CIDR]

    package init(_ prefixes: [CIDR]) {
        var disjoint: [CIDR] = []
        for prefix in prefixes.sorted(by: PrefixSet.precedes) {
            if let last = disjoint.last, last.contains(prefix) { continue }
            disjoint.append(prefix)
        }
        self.disjoint = disjoint
    }

    /// Its prefixes in order, none within another.
    package var list: [CIDR] { disjoint }

    /// True if one of the prefixes contains all of the other one.
    package func contains(_ other: CIDR) -> Bool {
        var low = 0
        var high = disjoint.count
        while low < high {
            let middle = (low + high) / 2
            if PrefixSet.precedes(other, disjoint[middle]) { high = middle } else { low = middle + 1 }
        }
        return low > 0 && disjoint[low - 1].contains(other)
    }

    /// True if one of the prefixes contains the address.
    package func contains(_ address: IPAddress) -> Bool { contains(CIDR(host: address)) }

    /// Families apart: IPv4-mapped addresses lie in the midst of IPv6's.
    ///
    /// The wider of two with one address comes first.
    private static func precedes(_ a: CIDR, _ b: CIDR) -> Bool {
        guard a.isIPv4 == b.isIPv4 else { return a.isIPv4 }
        return (a.address, a.length) < (b.address, b.length)
    }
}
