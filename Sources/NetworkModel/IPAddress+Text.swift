// SPDX-License-Identifier: Apache-2.0

extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
    /// The address in text, or nil; `parse` says why.
    package init?(_ text: String) {
        guard let address = try? IPAddress.parse(text) else { return nil }
        self = address
    }

    /// Dotted decimal, or the canonical IPv6 text of RFC 5952.
    package var description: String {
        var buffer = ASCIIBuffer()
        write(to: &buffer)
        return buffer.text
    }

    /// Writes the same text as `description` without making a string: for output of many addresses.
    package func write(to bytes: inout [UInt8]) {
        // Through a fixed buffer: one growth check for the address instead of one for each byte.
        var buffer = ASCIIBuffer()
        write(to: &buffer)
        buffer.append(to: &bytes)
    }

    /// Writes the same text as `description` to any sink.
    package func write(to sink: inout some ByteSink) {
        if isIPv4 {
            let bits = v4Bits
            for shift: UInt32 in [24, 16, 8] {
                sink.appendDecimal(Int(bits >> shift & 0xff))
                sink.append(UInt8(ascii: "."))
            }
            sink.appendDecimal(Int(bits & 0xff))
        } else {
            writeIPv6(to: &sink)
        }
    }

    private func group(_ index: Int) -> UInt64 {
        (index < 4 ? high >> UInt64(48 - 16 * index) : low >> UInt64(112 - 16 * index)) & 0xffff
    }

    private func writeIPv6(to sink: inout some ByteSink) {
        let zeros = longestZeroRun()
        var index = 0
        while index < 8 {
            if index == zeros.start, zeros.count > 1 {
                sink.append(UInt8(ascii: ":"))
                sink.append(UInt8(ascii: ":"))
                index += zeros.count
                continue
            }
            if index > 0, index != zeros.start + zeros.count || zeros.count < 2 { sink.append(UInt8(ascii: ":")) }
            let value = group(index)
            if value > 0xfff { sink.appendHexDigit(value >> 12) }
            if value > 0xff { sink.appendHexDigit(value >> 8) }
            if value > 0xf { sink.appendHexDigit(value >> 4) }
            sink.appendHexDigit(value)
            index += 1
        }
    }

    /// RFC 5952 §4.2: the longest run of zero groups, the first of equals; a single group is never shortened.
    private func longestZeroRun() -> (start: Int, count: Int) {
        var best = (start: -1, count: 0)
        var current = (start: 0, count: 0)
        for index in 0..<8 {
            if group(index) != 0 {
                current = (index + 1, 0)
                continue
            }
            current.count += 1
            if current.count > best.count { best = current }
        }
        return best
    }
}

extension IPAddress {
    /// Reads an IPv4 (four decimal parts) or IPv6 (RFC 4291, with an IPv4 tail or without) address.
    ///
    /// Refused, because readers disagree about them: leading zeros and fewer than four parts in IPv4, zones (`%eth0`).
    package static func parse(_ text: String) throws(AddressSyntaxError) -> IPAddress {
        try parse(text.utf8.span)
    }

    /// Reads an address from UTF-8 bytes; see `parse(_: String)`.
    package static func parse(_ bytes: Span<UInt8>) throws(AddressSyntaxError) -> IPAddress {
        guard !bytes.isEmpty else { throw AddressSyntaxError("the address is empty") }
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: ":"): return try parseIPv6(bytes)
            case UInt8(ascii: "."): return IPAddress(v4: try parseIPv4(bytes))
            default: continue
            }
        }
        throw AddressSyntaxError("an IPv4 address has four decimal parts, an IPv6 address has colons")
    }

    static func parseIPv4(_ bytes: Span<UInt8>) throws(AddressSyntaxError) -> UInt32 {
        var result: UInt32 = 0
        var parts = 0
        var index = 0
        while true {
            let start = index
            var value: UInt32 = 0
            while index < bytes.count, bytes[index] &- 48 < 10, index - start < 4 {
                value = value * 10 + UInt32(bytes[index] - 48)
                index += 1
            }
            guard index > start else { throw AddressSyntaxError("an IPv4 address has four decimal parts") }
            guard index - start == 1 || bytes[start] != 48 else {
                throw AddressSyntaxError("a part of an IPv4 address has a leading zero")
            }
            guard value <= 255 else { throw AddressSyntaxError("a part of an IPv4 address is greater than 255") }
            result = result << 8 | value
            parts += 1
            guard index < bytes.count else { break }
            guard bytes[index] == UInt8(ascii: "."), parts < 4 else {
                throw AddressSyntaxError("an IPv4 address has four decimal parts")
            }
            index += 1
        }
        guard parts == 4 else { throw AddressSyntaxError("an IPv4 address has four decimal parts") }
        return result
    }

    private static func parseIPv6(_ bytes: Span<UInt8>) throws(AddressSyntaxError) -> IPAddress {
        var parser = IPv6Parser()
        return try parser.parse(bytes)
    }
}

/// Collects groups before and after `::`.
private struct IPv6Parser {
    private var groups = InlineArray<8, UInt64>(repeating: 0)
    private var count = 0
    private var gap: Int?
    private var index = 0

    mutating func parse(_ bytes: Span<UInt8>) throws(AddressSyntaxError) -> IPAddress {
        if bytes[0] == UInt8(ascii: ":") {
            guard bytes.count > 1, bytes[1] == UInt8(ascii: ":") else {
                throw AddressSyntaxError("an IPv6 address cannot start with a single colon")
            }
            gap = 0
            index = 2
        }
        while index < bytes.count { try parseGroup(bytes) }
        return try assemble()
    }

    private mutating func parseGroup(_ bytes: Span<UInt8>) throws(AddressSyntaxError) {
        let start = index
        var value: UInt64 = 0
        while index < bytes.count, let digit = IPv6Parser.hexDigit(bytes[index]) {
            value = value << 4 | digit
            index += 1
            guard index - start <= 4 else { throw AddressSyntaxError("an IPv6 group has over four digits") }
        }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") { return try parseTail(bytes, from: start) }
        guard index > start else {
            throw AddressSyntaxError(
                bytes[index] == UInt8(ascii: ":")
                    ? "an IPv6 address can have `::` only once"
                    : bytes[index] == UInt8(ascii: "%")
                        ? "an address with a zone is meaningful on one link only" : "a group is not hexadecimal")
        }
        try add(value)
        try parseSeparator(bytes)
    }

    private mutating func parseSeparator(_ bytes: Span<UInt8>) throws(AddressSyntaxError) {
        guard index < bytes.count else { return }
        guard bytes[index] == UInt8(ascii: ":") else {
            throw AddressSyntaxError(
                bytes[index] == UInt8(ascii: "%")
                    ? "an address with a zone is meaningful on one link only" : "a group is not hexadecimal")
        }
        index += 1
        guard index < bytes.count else { throw AddressSyntaxError("an IPv6 address cannot end with a single colon") }
        guard bytes[index] == UInt8(ascii: ":") else { return }
        guard gap == nil else { throw AddressSyntaxError("an IPv6 address can have `::` only once") }
        gap = count
        index += 1
    }

    private mutating func parseTail(_ bytes: Span<UInt8>, from start: Int) throws(AddressSyntaxError) {
        let bits = try IPAddress.parseIPv4(bytes.extracting(start..<bytes.count))
        try add(UInt64(bits >> 16))
        try add(UInt64(bits & 0xffff))
        index = bytes.count
    }

    private mutating func add(_ value: UInt64) throws(AddressSyntaxError) {
        guard count < 8 else { throw AddressSyntaxError("an IPv6 address has eight groups at most") }
        groups[count] = value
        count += 1
    }

    private func assemble() throws(AddressSyntaxError) -> IPAddress {
        guard count == 8 || gap != nil else { throw AddressSyntaxError("an IPv6 address has eight groups, or `::`") }
        guard count < 8 || gap == nil else { throw AddressSyntaxError("`::` stands for one group at least") }
        var words = (high: UInt64(0), low: UInt64(0))
        for position in 0..<count {
            let place = position < (gap ?? 8) ? position : position + 8 - count
            if place < 4 {
                words.high |= groups[position] << UInt64(48 - 16 * place)
            } else {
                words.low |= groups[position] << UInt64(112 - 16 * place)
            }
        }
        return IPAddress(high: words.high, low: words.low)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 48...57: UInt64(byte - 48)
        case 65...70: UInt64(byte - 55)
        case 97...102: UInt64(byte - 87)
        default: nil
        }
    }
}
