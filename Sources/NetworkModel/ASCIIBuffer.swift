// SPDX-License-Identifier: Apache-2.0

/// What the formatters write to: a growing array of bytes, or a fixed buffer that becomes a `String`.
package protocol ByteSink {
    /// Adds one byte of UTF-8.
    mutating func append(_ byte: UInt8)
}

extension [UInt8]: ByteSink {}

/// Up to 64 ASCII bytes without an allocation: longer than any address or prefix in text.
struct ASCIIBuffer: ByteSink {
    private var bytes = InlineArray<64, UInt8>(repeating: 0)
    private var count = 0

    mutating func append(_ byte: UInt8) {
        bytes[count] = byte
        count += 1
    }

    /// Adds what was written to an array.
    func append(to array: inout [UInt8]) {
        let span = bytes.span.extracting(..<count)
        unsafe span.withUnsafeBufferPointer { unsafe array.append(contentsOf: $0) }
    }

    /// What was written; every formatter writes ASCII only, so nothing is ever replaced.
    var text: String {
        guard let span = try? UTF8Span(validating: bytes.span.extracting(..<count)) else { return "" }
        return String(copying: span)
    }
}

extension ByteSink {
    /// Adds an unsigned number below 1000 in decimal.
    mutating func appendDecimal(_ number: Int) {
        if number >= 100 { append(UInt8(truncatingIfNeeded: 48 + number / 100)) }
        if number >= 10 { append(UInt8(truncatingIfNeeded: 48 + number / 10 % 10)) }
        append(UInt8(truncatingIfNeeded: 48 + number % 10))
    }

    /// Adds the lowest four bits as one hexadecimal digit, lower case.
    mutating func appendHexDigit(_ nibble: UInt64) {
        let value = UInt8(truncatingIfNeeded: nibble & 0xf)
        append(value < 10 ? 48 + value : 87 + value)
    }
}
