// SPDX-License-Identifier: Apache-2.0

extension IPAddress {
    /// Sixteen bytes in network order, as C imports `__u8 bytes[16]`.
    package typealias NetworkBytes = (
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8,
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
    )

    /// From the sixteen bytes of a kernel table or event; an IPv4 address is IPv4-mapped there.
    package init(networkBytes b: NetworkBytes) {
        let high =
            UInt64(b.0) << 56 | UInt64(b.1) << 48 | UInt64(b.2) << 40 | UInt64(b.3) << 32
            | (UInt64(b.4) << 24 | UInt64(b.5) << 16 | UInt64(b.6) << 8 | UInt64(b.7))
        let low =
            UInt64(b.8) << 56 | UInt64(b.9) << 48 | UInt64(b.10) << 40 | UInt64(b.11) << 32
            | (UInt64(b.12) << 24 | UInt64(b.13) << 16 | UInt64(b.14) << 8 | UInt64(b.15))
        self.init(high: high, low: low)
    }

    /// From 4 (IPv4) or 16 bytes in network order; nil for any other count.
    package init?(networkBytes bytes: Span<UInt8>) {
        func word(_ range: Range<Int>) -> UInt64 {
            var value: UInt64 = 0
            for index in range { value = value << 8 | UInt64(bytes[index]) }
            return value
        }
        switch bytes.count {
        case 4: self.init(v4: UInt32(truncatingIfNeeded: word(0..<4)))
        case 16: self.init(high: word(0..<8), low: word(8..<16))
        default: return nil
        }
    }

    /// The sixteen bytes in network order, IPv4 as IPv4-mapped.
    package var networkBytes: NetworkBytes {
        func byte(_ word: UInt64, _ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> shift) }
        return (
            byte(high, 56), byte(high, 48), byte(high, 40), byte(high, 32), byte(high, 24), byte(high, 16),
            byte(high, 8), byte(high, 0), byte(low, 56), byte(low, 48), byte(low, 40), byte(low, 32), byte(low, 24),
            byte(low, 16), byte(low, 8), byte(low, 0)
        )
    }
}
