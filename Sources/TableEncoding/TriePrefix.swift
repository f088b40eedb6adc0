// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import NetworkModel

/// A prefix as the trie sees it: 128 address bits, an IPv4 address in the upper half of `high` (`bpf/abi/ipcache.h`).
struct TriePrefix: Hashable {
    var high: UInt64
    var low: UInt64
    /// 0...128; IPv4: 0...32.
    var length: Int
    var isIPv4: Bool

    init(_ cidr: CIDR) {
        isIPv4 = cidr.isIPv4
        length = cidr.length
        high = cidr.isIPv4 ? UInt64(cidr.address.v4Bits) << 32 : cidr.address.high
        low = cidr.isIPv4 ? 0 : cidr.address.low
    }

    init(_ address: IPAddress) { self.init(CIDR(host: address)) }

    /// Undoes `init(_: CIDR)`.
    var cidr: CIDR {
        isIPv4
            ? CIDR(IPAddress(v4: UInt32(truncatingIfNeeded: high >> 32)), length: length)
            : CIDR(IPAddress(high: high, low: low), length: length)
    }

    /// Byte `index` of the address, 0...15.
    func byte(_ index: Int) -> Int {
        let word = index < 8 ? high : low
        return Int(truncatingIfNeeded: word >> UInt64(56 - 8 * (index & 7))) & 255
    }

    /// The first 16 bits.
    var rootSlot: Int { Int(high >> 48) }

    /// Reference of the entry of the root table that stands for a slot.
    func rootReference(_ slot: Int) -> Int { Int(isIPv4 ? IPCACHE_ROOT_V4 : IPCACHE_ROOT_V6) + slot }

    /// How many leading address bits two prefixes share, lengths disregarded; at most 128.
    func sharedBits(_ other: TriePrefix) -> Int {
        if high != other.high { return (high ^ other.high).leadingZeroBitCount }
        return 64 + (low ^ other.low).leadingZeroBitCount
    }

    /// The first `newLength` bits as a prefix.
    func truncated(to newLength: Int) -> TriePrefix {
        var result = self
        result.length = newLength
        result.high = newLength >= 64 ? high : newLength == 0 ? 0 : high & (~0 << UInt64(64 - newLength))
        result.low = newLength >= 128 ? low : newLength <= 64 ? 0 : low & (~0 << UInt64(128 - newLength))
        return result
    }

    /// Order of the bulk loader: covering prefixes before what they cover.
    static func precedes(_ a: TriePrefix, _ b: TriePrefix) -> Bool {
        (a.high, a.low, a.length) < (b.high, b.low, b.length)
    }
}

extension TriePrefix {
    /// An address without length (128).
    init(high: UInt64, low: UInt64, isIPv4: Bool) {
        self.high = high
        self.low = low
        self.isIPv4 = isIPv4
        length = 128
    }

    /// The slots of the node at an address byte that the prefix covers; one if it is longer.
    func slots(inNodeAt byte: Int) -> Range<Int> {
        let first = self.byte(byte)
        return first..<(first + (length >= 8 * byte + 8 ? 1 : 1 << (8 * byte + 8 - length)))
    }

    /// The same address with one byte exchanged and zero bytes behind it.
    func replacingByte(_ index: Int, with value: Int) -> TriePrefix {
        var result = truncated(to: 8 * index)
        result.length = length
        let bits = UInt64(value) << UInt64(56 - 8 * (index & 7))
        if index < 8 { result.high |= bits } else { result.low |= bits }
        return result
    }
}
