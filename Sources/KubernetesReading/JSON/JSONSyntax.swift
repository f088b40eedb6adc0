// SPDX-License-Identifier: Apache-2.0

/// The grammar of JSON over plain bytes: what is one value, and where it ends.
///
/// Nothing is recursive, so no text, however deep, can exhaust the stack.
enum JSONSyntax {
    /// Containers within containers that are accepted; Kubernetes' own objects have some thirty.
    static let depthMax = 512

    /// The place of the one value that a text is.
    static func check(_ bytes: Span<UInt8>) throws(JSONError) -> Range<Int> {
        let start = afterSpace(bytes, 0)
        var index = start
        var containers: [UInt8] = []
        while true {
            var isOpened = false
            switch byte(bytes, index) {
            case openObject, openList:
                guard containers.count < depthMax else {
                    throw JSONError("nested deeper than \(depthMax) levels", offset: index)
                }
                containers.append(bytes[index])
                isOpened = true
                index = afterSpace(bytes, index + 1)
            case quote: index = try afterString(bytes, index)
            default: index = try afterAtom(bytes, index)
            }
            if try closeOrGoOn(bytes, &index, &containers, isOpened: isOpened) { return start..<index }
        }
    }

    /// Closes what ends here and goes to the next value; true at the end of the text.
    private static func closeOrGoOn(
        _ bytes: Span<UInt8>, _ index: inout Int, _ containers: inout [UInt8], isOpened: Bool
    ) throws(JSONError) -> Bool {
        var isEmpty = isOpened
        while let container = containers.last {
            if !isEmpty { index = afterSpace(bytes, index) }
            let next = byte(bytes, index)
            if next == (container == openObject ? closeObject : closeList) {
                containers.removeLast()
                index += 1
                isEmpty = false
                continue
            }
            if !isEmpty {
                guard next == comma else { throw JSONError("a comma or an end is missing", offset: index) }
                index = afterSpace(bytes, index + 1)
            }
            if container == openObject { index = try afterKey(bytes, index) }
            return false
        }
        guard afterSpace(bytes, index) == bytes.count else {
            throw JSONError("something follows the value", offset: index)
        }
        return true
    }

    /// Behind a value of a checked text.
    static func end(_ bytes: Span<UInt8>, ofValueAt start: Int) -> Int {
        var index = start
        var depth = 0
        repeat {
            switch byte(bytes, index) {
            case openObject, openList:
                depth += 1
                index += 1
            case closeObject, closeList:
                depth -= 1
                index += 1
            case quote: index = endOfCheckedString(bytes, index)
            case nil: return bytes.count
            default:
                index += 1
                if depth == 0 {
                    while let next = byte(bytes, index), !endsAtom(next) { index += 1 }
                }
            }
        } while depth > 0
        return index
    }

    static func afterSpace(_ bytes: Span<UInt8>, _ start: Int) -> Int {
        var index = start
        while index < bytes.count, isSpace(bytes[index]) { index += 1 }
        return index
    }

    static func endOfCheckedString(_ bytes: Span<UInt8>, _ start: Int) -> Int {
        var index = start + 1
        while index < bytes.count {
            let next = bytes[index]
            if next == quote { return index + 1 }
            index += next == backslash ? 2 : 1
        }
        return bytes.count
    }

    private static func afterKey(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        guard byte(bytes, start) == quote else { throw JSONError("a key is missing", offset: start) }
        let colonPlace = afterSpace(bytes, try afterString(bytes, start))
        guard byte(bytes, colonPlace) == colon else { throw JSONError("a colon is missing", offset: colonPlace) }
        return afterSpace(bytes, colonPlace + 1)
    }

    private static func afterString(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        var index = start + 1
        while index < bytes.count {
            switch bytes[index] {
            case quote: return index + 1
            case backslash: index += 2
            case 0..<0x20: throw JSONError("a control character in a string", offset: index)
            default: index += 1
            }
        }
        throw JSONError("a string without an end", offset: start)
    }

    /// Behind `true`, `false`, `null` or a number.
    private static func afterAtom(_ bytes: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        var index = start
        while let next = byte(bytes, index), !endsAtom(next) { index += 1 }
        let isNumber = byte(bytes, start).map { $0 == minus || (zero...nine).contains($0) } ?? false
        let range = start..<index
        let isWord =
            matches(bytes, range, "null") || matches(bytes, range, "true") || matches(bytes, range, "false")
        guard isNumber || isWord else {
            throw JSONError(
                start < bytes.count ? "not a value" : "the text ends where a value should be", offset: start)
        }
        return index
    }

    static func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
        guard range.count == text.utf8.count else { return false }
        var index = range.lowerBound
        for unit in text.utf8 {
            if bytes[index] != unit { return false }
            index += 1
        }
        return true
    }

    private static func byte(_ bytes: Span<UInt8>, _ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 }

    private static func endsAtom(_ byte: UInt8) -> Bool {
        byte == comma || byte == closeObject || byte == closeList || byte == colon || byte == quote || isSpace(byte)
            || byte == openObject || byte == openList
    }

    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let openObject = UInt8(ascii: "{")
    static let closeObject = UInt8(ascii: "}")
    static let openList = UInt8(ascii: "[")
    static let closeList = UInt8(ascii: "]")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
    private static let minus = UInt8(ascii: "-")
    private static let zero = UInt8(ascii: "0")
    private static let nine = UInt8(ascii: "9")
}

/// Why a text is not JSON.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    package let message: String
    /// In bytes from the start.
    package let offset: Int

    init(_ message: String, offset: Int) {
        self.message = message
        self.offset = offset
    }

    package var description: String { "not JSON at byte \(offset): \(message)" }
}
