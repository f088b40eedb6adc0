// SPDX-License-Identifier: Apache-2.0

package import NetworkModel
package import PrefixTables

/// Feeds → what the tries of both families are loaded with.
package struct FeedTable: Sendable {
    /// One feed's prefixes under its class (`FEED_*` of `bpf/abi/prefilter.h`).
    package struct Part: Sendable {
        package var number: UInt8
        package var prefixes: [CIDR]

        package init(number: UInt8, prefixes: [CIDR]) {
            self.number = number
            self.prefixes = prefixes
        }
    }

    /// Sorted, distinct, and none that says what the prefix around it says already.
    package private(set) var ipv4: [RangePrefix] = []
    package private(set) var ipv6: [RangePrefix] = []
    /// The first class that allows.
    package let firstAllowing: UInt8

    /// The class of an address is that of the longest prefix of an allow feed around it, if there is one, else that of the
    /// longest of a deny feed; of feeds with the same prefix the lowest number counts.
    package init(_ parts: [Part], firstAllowing: UInt8) {
        self.firstAllowing = firstAllowing
        for part in parts {
            for prefix in part.prefixes {
                let entry = RangePrefix(prefix, value: part.number)
                if prefix.isIPv4 { ipv4.append(entry) } else { ipv6.append(entry) }
            }
        }
        settle(&ipv4)
        settle(&ipv6)
    }

    private func settle(_ prefixes: inout [RangePrefix]) {
        let first = firstAllowing
        prefixes.sortByAddress { a, b in
            if RangePrefix.precedes(a, b) { return true }
            guard a.isSamePlace(as: b) else { return false }
            return (a.value < first ? 1 : 0, a.value) < (b.value < first ? 1 : 0, b.value)
        }
        // Prefixes around the one in hand, innermost last.
        var around: [RangePrefix] = []
        var kept = 0
        var previous: RangePrefix?
        for prefix in prefixes {
            // Of those at one place the first counts, also where it says nothing new.
            if let previous, previous.isSamePlace(as: prefix) { continue }
            previous = prefix
            while let last = around.last, !last.covers(prefix) { around.removeLast() }
            if let last = around.last {
                let isOverruled = last.value >= first && prefix.value < first
                if isOverruled || last.value == prefix.value { continue }
            }
            prefixes[kept] = prefix
            kept += 1
            around.append(prefix)
        }
        prefixes.removeLast(prefixes.count - kept)
    }
}
