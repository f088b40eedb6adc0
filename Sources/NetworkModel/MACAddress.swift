// SPDX-License-Identifier: Apache-2.0

/// A 48-bit link-layer address.
package struct MACAddress: Hashable, Sendable, CustomStringConvertible {
    /// The 48 bits, first byte highest.
    package let bits: UInt64

    package init(bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

    /// From `52:54:00:12:34:56`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var bits: UInt64 = 0
        for part in parts {
            guard part.utf8.count == 2, part.first != "+", let byte = UInt8(part, radix: 16) else { return nil }
            bits = bits << 8 | UInt64(byte)
        }
        self.init(bits: bits)
    }

    /// `52:54:00:12:34:56`.
    package var description: String {
        var buffer = ASCIIBuffer()
        for shift in stride(from: 44, through: 0, by: -4) {
            buffer.appendHexDigit(bits >> UInt64(shift))
            if shift % 8 == 0, shift > 0 { buffer.append(UInt8(ascii: ":")) }
        }
        return buffer.text
    }
}
