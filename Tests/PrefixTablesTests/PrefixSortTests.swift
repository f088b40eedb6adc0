// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@testable import PrefixTables

@Suite struct PrefixSortTests {
    /// Few and many, crowded, far apart, and all in one /64.
    @Test(arguments: [0, 1, 16_384, 16_385, 40_000], [UInt64.max, 0xffff, 0xff00_00ff_0000_0003, 0])
    func `sorting by address is sorting by comparison`(count: Int, mask: UInt64) {
        var generator = SystemRandomNumberGenerator()
        let prefixes = (0..<count).map { _ in
            RangePrefix(
                high: generator.next() & mask, low: generator.next() & 3, length: Int.random(in: 17...128),
                value: UInt8.random(in: 1...3))
        }
        func isBefore(_ a: RangePrefix, _ b: RangePrefix) -> Bool {
            RangePrefix.precedes(a, b) || (a.isSamePlace(as: b) && a.value < b.value)
        }
        var sorted = prefixes
        sorted.sortByAddress(isBefore)
        #expect(sorted == prefixes.sorted(by: isBefore))
    }

    @Test func `IPv4 is sorted by its upper half`() {
        var generator = SystemRandomNumberGenerator()
        let prefixes = (0..<20_000).map { _ in
            RangePrefix(CIDR(IPAddress(v4: UInt32.random(in: 0...9999, using: &generator) << 12), length: 24), value: 1)
        }
        var sorted = prefixes
        sorted.sortByAddress(RangePrefix.precedes)
        #expect(sorted == prefixes.sorted(by: RangePrefix.precedes))
    }
}
