// SPDX-License-Identifier: Apache-2.0

/// Why bytes are no JSON.
package struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    package let reason: String
    /// Of the byte that is wrong, from 0.
    package let offset: Int

    package var description: String { "\(reason) at byte \(offset)" }
}

extension JSONValue {
    /// Reads one value with nothing but white space around it.
    package init(json bytes: [UInt8]) throws(JSONSyntaxError) {
        var reader = JSONReader(bytes)
        self = try reader.whole()
    }
}

/// Reads JSON as RFC 8259 has it; deeper than `depthMax` nothing is read.
private struct JSONReader {
    static let depthMax = 128

    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func whole() throws(JSONSyntaxError) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard place == bytes.count else { throw fault("something follows the value") }
        return value
    }

    private func fault(_ reason: String) -> JSONSyntaxError { JSONSyntaxError(reason: reason, offset: place) }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { place += 1 }
    }

    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: byte) else { return false }
        place += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        guard depth < Self.depthMax else { throw fault("nested deeper than \(Self.depthMax)") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return .object(try object(depth))
        case UInt8(ascii: "["): return .array(try array(depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw fault("the text ends where a value should be")
        default: return .number(try number())
        }
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        guard bytes[place...].starts(with: text.utf8) else { throw fault("not a value") }
        place += text.utf8.count
        return value
    }

    private mutating func object(_ depth: Int) throws(JSONSyntaxError) -> JSONObject {
        place += 1
        var members: [JSONObject.Member] = []
        skipSpace()
        if take("}") { return JSONObject() }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw fault("a member has no name") }
            let key = try string()
            skipSpace()
            guard take(":") else { throw fault("no colon after a member's name") }
            members.append(JSONObject.Member(key, try value(depth: depth + 1)))
            skipSpace()
        } while take(",")
        guard take("}") else { throw fault("an object does not end") }
        return JSONObject(members)
    }

    private mutating func array(_ depth: Int) throws(JSONSyntaxError) -> [JSONValue] {
        place += 1
        var values: [JSONValue] = []
        skipSpace()
        if take("]") { return [] }
        repeat {
            values.append(try value(depth: depth + 1))
            skipSpace()
        } while take(",")
        guard take("]") else { throw fault("a list does not end") }
        return values
    }

    private mutating func number() throws(JSONSyntaxError) -> String {
        let start = place
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = place
        while let byte = next, (0x30...0x39).contains(byte) { place += 1 }
        guard place > start else { throw fault("not a value") }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        let start = place
        place += 1
        var text: [UInt8] = []
        while true {
            guard let byte = next else { throw fault("a string does not end") }
            place += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let valid = String(validating: text, as: UTF8.self) else {
                    place = start
                    throw fault("a string is not UTF-8")
                }
                return valid
            case UInt8(ascii: "\\"): text += Array(String(try escaped()).utf8)
            case ..<0x20: throw fault("a control character in a string")
            default: text.append(byte)
            }
        }
    }

    private mutating func escaped() throws(JSONSyntaxError) -> Unicode.Scalar {
        guard let byte = next else { throw fault("a string does not end") }
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicode()
        default: throw fault("no such escape")
        }
    }

    /// Half of a pair without the other becomes U+FFFD, as in other readers.
    private mutating func unicode() throws(JSONSyntaxError) -> Unicode.Scalar {
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let behind = place
        guard first < 0xdc00, take("\\"), take("u") else {
            place = behind
            return "\u{fffd}"
        }
        let second = try fourDigits()
        guard (0xdc00...0xdfff).contains(second) else {
            place = behind
            return "\u{fffd}"
        }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
    }

    private mutating func fourDigits() throws(JSONSyntaxError) -> UInt32 {
        guard place + 4 <= bytes.count else { throw fault("a string does not end") }
        var value: UInt32 = 0
        for byte in bytes[place..<place + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw fault("no such escape")
            }
            value = value << 4 | UInt32(digit)
        }
        place += 4
        return value
    }
}
