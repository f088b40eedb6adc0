// SPDX-License-Identifier: Apache-2.0

extension CIDR: CustomStringConvertible, LosslessStringConvertible {
    /// The prefix in text, or nil; `parse` says why.
    package init?(_ text: String) {
        guard let prefix = try? CIDR.parse(text) else { return nil }
        self = prefix
    }

    /// `10.1.0.0/16`, `2001:db8::/32`.
    package var description: String {
        var buffer = ASCIIBuffer()
        write(to: &buffer)
        return buffer.text
    }

    /// Writes the same text as `description` without making a string.
    package func write(to bytes: inout [UInt8]) {
        var buffer = ASCIIBuffer()
        write(to: &buffer)
        buffer.append(to: &bytes)
    }

    /// Writes the same text as `description` to any sink.
    package func write(to sink: inout some ByteSink) {
        address.write(to: &sink)
        sink.append(UInt8(ascii: "/"))
        sink.appendDecimal(length)
    }

    /// Reads `address/length`; bits outside the prefix must be zero (`parseLenient` accepts them).
    package static func parse(_ text: String) throws(AddressSyntaxError) -> CIDR {
        let (prefix, hasHostBits) = try parseLenient(text)
        guard !hasHostBits else {
            throw AddressSyntaxError("it has bits set outside its prefix; the network is \(prefix)")
        }
        return prefix
    }

    /// Reads `address/length`, clears the bits outside the prefix and says whether there were any.
    package static func parseLenient(_ text: String) throws(AddressSyntaxError) -> (prefix: CIDR, hasHostBits: Bool) {
        let bytes = text.utf8.span
        var slash: Int?
        for index in bytes.indices where bytes[index] == UInt8(ascii: "/") {
            slash = index
            break
        }
        guard let slash else { throw AddressSyntaxError("the prefix length is missing (`address/length`)") }
        let address = try IPAddress.parse(bytes.extracting(0..<slash))
        let length = try parseLength(bytes.extracting((slash + 1)..<bytes.count))
        let isMapped = address.isIPv4 && text.utf8.contains(UInt8(ascii: ":"))
        guard !isMapped else {
            throw AddressSyntaxError("an IPv4-mapped IPv6 prefix is ambiguous: write the IPv4 prefix")
        }
        let limit = address.isIPv4 ? 32 : 128
        guard length <= limit else { throw AddressSyntaxError("prefix length \(length) is greater than \(limit)") }
        let prefix = CIDR(address, length: length)
        return (prefix, prefix.address != address)
    }

    private static func parseLength(_ bytes: Span<UInt8>) throws(AddressSyntaxError) -> Int {
        guard (1...3).contains(bytes.count) else { throw AddressSyntaxError("the prefix length is not a number") }
        var value = 0
        for index in bytes.indices {
            guard bytes[index] &- 48 < 10 else { throw AddressSyntaxError("the prefix length is not a number") }
            value = value * 10 + Int(bytes[index] - 48)
        }
        guard bytes.count == 1 || bytes[0] != 48 else {
            throw AddressSyntaxError("the prefix length has a leading zero")
        }
        return value
    }
}

extension CIDR: Comparable {
    /// By first address, then shorter prefixes first.
    package static func < (a: CIDR, b: CIDR) -> Bool {
        a.address != b.address ? a.address < b.address : a.length < b.length
    }
}
