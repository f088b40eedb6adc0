// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a text that should be JSON.
package struct JSONError: Error, CustomStringConvertible {
    /// Offset of the byte at which reading stopped.
    package var offset: Int
    /// What was expected there.
    package var reason: String
    package var description: String { "\(reason) at byte \(offset)" }
}

/// Reads one JSON document.
///
/// Strict about its grammar, lenient about nothing but a lone surrogate.
struct JSONParser {
    private let bytes: [UInt8]
    private var offset = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSON {
        var parser = JSONParser(bytes)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.offset == bytes.count else { throw parser.error("nothing more") }
        return value
    }

    private func error(_ expected: String) -> JSONError { JSONError(offset: offset, reason: "expected \(expected)") }

    private mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[offset]) { offset += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard offset < bytes.count, bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    private mutating func value() throws(JSONError) -> JSON {
        skipSpace()
        guard offset < bytes.count else { throw error("a value") }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let text = Array(word.description.utf8)
        guard bytes[offset...].starts(with: text) else { throw error("a value") }
        offset += text.count
        return value
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = offset
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                offset += 1
                continue
            default: break
            }
            break
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        guard Double(text) != nil else { throw error("a value") }
        return .number(text)
    }

    private mutating func array() throws(JSONError) -> JSON {
        try enter()
        var elements: [JSON] = []
        skipSpace()
        if !take(UInt8(ascii: "]")) {
            repeat {
                elements.append(try value())
                skipSpace()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw error("',' or ']'") }
        }
        depth -= 1
        return .array(elements)
    }

    private mutating func object() throws(JSONError) -> JSON {
        try enter()
        var object = JSONObject()
        skipSpace()
        if !take(UInt8(ascii: "}")) {
            repeat {
                skipSpace()
                guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw error("a key") }
                let key = try string()
                skipSpace()
                guard take(UInt8(ascii: ":")) else { throw error("':'") }
                object.append(key, try value())
                skipSpace()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else { throw error("',' or '}'") }
        }
        depth -= 1
        return .object(object)
    }

    private mutating func enter() throws(JSONError) {
        offset += 1
        depth += 1
        // The stack is finite; the real server refuses such documents too.
        guard depth <= 500 else { throw error("less nesting") }
    }

    private mutating func string() throws(JSONError) -> String {
        offset += 1
        let start = offset
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\""), bytes[offset] != UInt8(ascii: "\\") {
            guard bytes[offset] >= 0x20 else { throw error("no control character") }
            offset += 1
        }
        if take(UInt8(ascii: "\"")) { return String(decoding: bytes[start..<(offset - 1)], as: UTF8.self) }
        return try escapedString(from: start)
    }

    private mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var units = Array(bytes[start..<offset])
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: units, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                units.append(byte)
                continue
            }
            guard offset < bytes.count else { break }
            let escape = bytes[offset]
            offset += 1
            switch escape {
            case UInt8(ascii: "n"): units.append(0x0A)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "r"): units.append(0x0D)
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0C)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(escape)
            case UInt8(ascii: "u"): units.append(contentsOf: String(try unicodeScalar()).utf8)
            default: throw error("an escape")
            }
        }
        throw error("'\"'")
    }

    private mutating func unicodeScalar() throws(JSONError) -> Character {
        let first = try hexUnit()
        if (0xD800..<0xDC00).contains(first), bytes[offset...].starts(with: Array("\\u".utf8)) {
            offset += 2
            let second = try hexUnit()
            if (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            {
                return Character(scalar)
            }
        }
        return Character(Unicode.Scalar(first) ?? "\u{FFFD}")
    }

    private mutating func hexUnit() throws(JSONError) -> UInt32 {
        guard offset + 4 <= bytes.count,
            let unit = UInt32(String(decoding: bytes[offset..<(offset + 4)], as: UTF8.self), radix: 16)
        else { throw error("four hexadecimal digits") }
        offset += 4
        return unit
    }
}
