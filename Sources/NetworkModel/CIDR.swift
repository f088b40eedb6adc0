// SPDX-License-Identifier: Apache-2.0

/// An address prefix.
///
/// `length` counts within the family: 0...32 for IPv4, 0...128 for IPv6. Host bits are zero.
package struct CIDR: Hashable, Sendable {
    package let address: IPAddress
    /// In one byte: tables hold a hundred thousand of these.
    private let bitCount: UInt8
    package let isIPv4: Bool

    package var length: Int { Int(bitCount) }

    /// Clears the host bits; `length` must fit the address's family.
    package init(_ address: IPAddress, length: Int) {
        precondition((0...(address.isIPv4 ? 32 : 128)).contains(length), "prefix length out of range")
        self.isIPv4 = address.isIPv4
        bitCount = UInt8(length)
        let bits = address.isIPv4 ? length + 96 : length
        let high = bits >= 64 ? address.high : address.high & CIDR.mask(bits)
        let low = bits <= 64 ? 0 : address.low & CIDR.mask(bits - 64)
        // ::ffff:0:0 keeps its marker whatever the length: an IPv4 /0 is still an IPv4 prefix.
        self.address = IPAddress(high: high, low: low)
    }

    /// A single address as a prefix (/32 or /128).
    package init(host address: IPAddress) {
        self.init(address, length: address.isIPv4 ? 32 : 128)
    }

    /// True if the address is of the same family and inside.
    package func contains(_ other: IPAddress) -> Bool {
        other.isIPv4 == isIPv4 && CIDR(other, length: length).address == address
    }

    /// True if the other prefix is of the same family and equal or longer and inside.
    package func contains(_ other: CIDR) -> Bool {
        other.isIPv4 == isIPv4 && other.length >= length && CIDR(other.address, length: length).address == address
    }

    private static func mask(_ bits: Int) -> UInt64 {
        bits <= 0 ? 0 : bits >= 64 ? ~0 : ~0 << UInt64(64 - bits)
    }
}
