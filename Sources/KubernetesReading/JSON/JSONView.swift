// SPDX-License-Identifier: Apache-2.0

/// A value inside a JSON text, read where it lies.
///
/// Lenient as clients of an evolving API must be: what is absent, null or of another type than asked for is nil or empty.
/// Nothing is decoded that nobody asks for, so that of a large object only the few fields in use cost more than a look.
package struct JSONView: Sendable {
    private let text: [UInt8]
    private let range: Range<Int>

    /// Checks that the text is one JSON value.
    package init(_ text: [UInt8]) throws(JSONError) {
        range = try JSONSyntax.check(text.span)
        self.text = text
    }

    private init(_ text: [UInt8], _ range: Range<Int>) {
        self.text = text
        self.range = range
    }

    /// The value's own bytes.
    package var bytes: ArraySlice<UInt8> { text[range] }

    /// A copy that does not keep the text around it in memory.
    package var detached: JSONView { JSONView(Array(bytes), 0..<range.count) }

    /// The value of a key; nil if it is absent or null, or this is no object.
    package subscript(_ key: String) -> JSONView? {
        var found: JSONView?
        forEachMember { name, value in
            guard name.is(key) else { return true }
            found = value
            return false
        }
        return found.flatMap { $0.isNull ? nil : $0 }
    }

    /// The string; nil if it is none.
    package var string: String? {
        guard text[range.lowerBound] == JSONSyntax.quote else { return nil }
        return JSONStrings.decode(text, range.lowerBound + 1..<range.upperBound - 1)
    }

    /// The whole number; nil if it is none, or does not fit.
    package var integer: Int? {
        guard let literal else { return nil }
        if let value = Int(literal) { return value }
        guard let value = Double(literal), value.rounded() == value, abs(value) < 9e15 else { return nil }
        return Int(value)
    }

    package var boolean: Bool? { literal.flatMap { Bool($0) } }

    package var isNull: Bool { JSONSyntax.matches(text.span, range, "null") }

    package var isObject: Bool { text[range.lowerBound] == JSONSyntax.openObject }

    /// The elements of a list; none if it is not one.
    package var elements: [JSONView] {
        var elements: [JSONView] = []
        forEachElement { elements.append($0) }
        return elements
    }

    /// The strings of an object whose values are strings; others are left out.
    package var strings: [String: String] {
        var strings: [String: String] = [:]
        forEachMember { name, value in
            if let key = name.string, let value = value.string { strings[key] = value }
            return true
        }
        return strings
    }

    /// The keys of an object.
    package var keys: [String] {
        var keys: [String] = []
        forEachMember { name, _ in
            if let key = name.string { keys.append(key) }
            return true
        }
        return keys
    }

    /// Visits the elements of a list in their order.
    package func forEachElement(_ visit: (JSONView) throws -> Void) rethrows {
        guard text[range.lowerBound] == JSONSyntax.openList else { return }
        var index = JSONSyntax.afterSpace(text.span, range.lowerBound + 1)
        while text[index] != JSONSyntax.closeList {
            let end = JSONSyntax.end(text.span, ofValueAt: index)
            try visit(JSONView(text, index..<end))
            index = JSONSyntax.afterSpace(text.span, end)
            if text[index] == JSONSyntax.comma { index = JSONSyntax.afterSpace(text.span, index + 1) }
        }
    }

    /// Visits the members of an object in their order, until told to stop.
    private func forEachMember(_ visit: (JSONView, JSONView) -> Bool) {
        guard isObject else { return }
        var index = JSONSyntax.afterSpace(text.span, range.lowerBound + 1)
        while text[index] != JSONSyntax.closeObject {
            let keyEnd = JSONSyntax.endOfCheckedString(text.span, index)
            let key = JSONView(text, index..<keyEnd)
            // Behind the colon.
            let value = JSONSyntax.afterSpace(text.span, JSONSyntax.afterSpace(text.span, keyEnd) + 1)
            let end = JSONSyntax.end(text.span, ofValueAt: value)
            guard visit(key, JSONView(text, value..<end)) else { return }
            index = JSONSyntax.afterSpace(text.span, end)
            if text[index] == JSONSyntax.comma { index = JSONSyntax.afterSpace(text.span, index + 1) }
        }
    }

    /// Of what may be a number or a word.
    private var literal: String? { range.count <= 32 ? String(decoding: bytes, as: UTF8.self) : nil }

    /// Whether this, a key, is that one; only keys with escapes are decoded for it.
    private func `is`(_ key: String) -> Bool {
        let content = range.lowerBound + 1..<range.upperBound - 1
        if JSONSyntax.matches(text.span, content, key) { return true }
        return text[content].contains(JSONSyntax.backslash) && string == key
    }
}

/// Strings with escapes.
enum JSONStrings {
    /// What stands between the quotes, decoded; invalid UTF-8 and lone surrogates become U+FFFD.
    static func decode(_ text: [UInt8], _ range: Range<Int>) -> String {
        guard text[range].contains(JSONSyntax.backslash) else { return String(decoding: text[range], as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            guard text[index] == JSONSyntax.backslash, index + 1 < range.upperBound else {
                bytes.append(text[index])
                index += 1
                continue
            }
            index += 2
            switch text[index - 1] {
            case UInt8(ascii: "n"): bytes.append(0x0a)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "r"): bytes.append(0x0d)
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0c)
            case UInt8(ascii: "u"): bytes += Array(String(scalar(text, &index, range.upperBound)).utf8)
            case let other: bytes.append(other)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func scalar(_ text: [UInt8], _ index: inout Int, _ end: Int) -> Unicode.Scalar {
        let high = unit(text, &index, end)
        guard (0xd800..<0xdc00).contains(high) else { return Unicode.Scalar(high) ?? "\u{fffd}" }
        guard index + 1 < end, text[index] == JSONSyntax.backslash, text[index + 1] == UInt8(ascii: "u") else {
            return "\u{fffd}"
        }
        var after = index + 2
        let low = unit(text, &after, end)
        guard (0xdc00..<0xe000).contains(low) else { return "\u{fffd}" }
        index = after
        return Unicode.Scalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00)) ?? "\u{fffd}"
    }

    private static func unit(_ text: [UInt8], _ index: inout Int, _ end: Int) -> UInt32 {
        let stop = min(index + 4, end)
        defer { index = stop }
        return UInt32(String(decoding: text[index..<stop], as: UTF8.self), radix: 16) ?? 0xfffd
    }
}
