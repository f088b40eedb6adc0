// SPDX-License-Identifier: Apache-2.0

/// An IPv4 or IPv6 address, held as 128 bits; IPv4 is IPv4-mapped (`::ffff:a.b.c.d`) as in the kernel tables.
package struct IPAddress: Hashable, Sendable {
    /// The first 64 bits, host order.
    package let high: UInt64
    /// The last 64 bits, host order.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes an IPv4 address from its 32 bits in host order.
    package init(v4 bits: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(bits))
    }

    /// True for IPv4 (an IPv4-mapped IPv6 address counts as the IPv4 address it maps).
    package var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }

    /// The 32 bits of an IPv4 address, host order; meaningless for IPv6.
    package var v4Bits: UInt32 { UInt32(truncatingIfNeeded: low) }

    /// 4 or 6.
    package var family: Int { isIPv4 ? 4 : 6 }
}

extension IPAddress: Comparable {
    package static func < (a: IPAddress, b: IPAddress) -> Bool {
        (a.high, a.low) < (b.high, b.low)
    }
}

extension IPAddress {
    /// Sorted, none twice; a list that is so already is not copied.
    package static func inOrder(_ addresses: some Sequence<IPAddress>) -> [IPAddress] {
        if let given = addresses as? [IPAddress], zip(given, given.dropFirst()).allSatisfy(<) { return given }
        return Set(addresses).sorted()
    }
}
