// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// A prefix of one family with its class: 128 address bits, an IPv4 address in the upper half of `high`
/// (`bpf/abi/range_trie.h`).
package struct RangePrefix: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64
    /// 0...128; IPv4: 0...32.
    package var length: UInt8
    /// 1...255; 0: no class, which is what a removed prefix has.
    package var value: UInt8

    package init(_ cidr: CIDR, value: UInt8) {
        high = cidr.isIPv4 ? UInt64(cidr.address.v4Bits) << 32 : cidr.address.high
        low = cidr.isIPv4 ? 0 : cidr.address.low
        length = UInt8(cidr.length)
        self.value = value
    }

    init(high: UInt64, low: UInt64, length: Int, value: UInt8) {
        self.high = high
        self.low = low
        self.length = UInt8(length)
        self.value = value
    }

    /// No prefix at all.
    static let none = RangePrefix(high: 0, low: 0, length: 0, value: 0)

    var bits: Int { Int(length) }

    /// The first 16 bits.
    var rootSlot: Int { Int(high >> 48) }

    /// Which slot of a node at a level, 1...7, the address falls into.
    func slot(_ level: Int) -> Int {
        let word = level < 4 ? high : low
        return Int(truncatingIfNeeded: word >> UInt64(48 - 16 * (level & 3))) & 0xffff
    }

    /// The slots of the node at a level that the prefix covers; one if it is longer.
    func slots(inNodeAt level: Int) -> Range<Int> {
        let first = slot(level), end = 16 * (level + 1)
        return first..<(first + (bits < end ? 1 << (end - bits) : 1))
    }

    /// How many leading address bits two prefixes share, lengths disregarded; at most 128.
    func sharedBits(_ other: RangePrefix) -> Int {
        if high != other.high { return (high ^ other.high).leadingZeroBitCount }
        return 64 + (low ^ other.low).leadingZeroBitCount
    }

    /// The same address without the bits behind the first `count`.
    func truncated(to count: Int) -> RangePrefix {
        RangePrefix(
            high: count >= 64 ? high : count == 0 ? 0 : high & (~0 << UInt64(64 - count)),
            low: count >= 128 ? low : count <= 64 ? 0 : low & (~0 << UInt64(128 - count)), length: count, value: value)
    }

    /// By address, then length: covering prefixes before what they cover.
    package static func precedes(_ a: RangePrefix, _ b: RangePrefix) -> Bool {
        if a.high != b.high { return a.high < b.high }
        if a.low != b.low { return a.low < b.low }
        return a.length < b.length
    }

    /// The same place, whatever the class.
    package func isSamePlace(as other: RangePrefix) -> Bool {
        high == other.high && low == other.low && length == other.length
    }

    /// True if the other prefix is in this one, or the same.
    package func covers(_ other: RangePrefix) -> Bool { length <= other.length && sharedBits(other) >= bits }
}
