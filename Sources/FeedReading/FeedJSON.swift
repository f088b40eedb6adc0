// SPDX-License-Identifier: Apache-2.0

/// Finds prefixes in JSON, whatever the shape around them: texts in arrays, and values of the keys that publishers use.
///
/// One document or one a line (NDJSON). Not recursive: depth costs a byte each, so a stranger's brackets do no harm.
struct FeedJSON {
    private let reader: FeedReader
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var lineStart = 0
    private var content = FeedContent()
    /// Brackets that are open.
    private var open: [UInt8] = []
    /// The value that comes next belongs to a key that holds a prefix.
    private var isPrefixKey = false
    /// In an object: a text is a key.
    private var expectsKey = false

    private static let braceOpen: UInt8 = 0x7b
    private static let braceClose: UInt8 = 0x7d
    private static let bracketOpen: UInt8 = 0x5b
    private static let bracketClose: UInt8 = 0x5d

    private static let keys: Set<String> = [
        "cidr", "ip", "prefix", "network", "address", "ip_prefix", "ipv6_prefix", "ipv4Prefix", "ipv6Prefix",
        "ipAddress",
        "range", "value",
    ]

    init(reader: FeedReader, bytes: [UInt8]) {
        self.reader = reader
        self.bytes = bytes
    }

    mutating func read() -> FeedContent {
        while position < bytes.count {
            guard step() else { return content }
        }
        if !open.isEmpty {
            note(position, "the text ends inside \(open.last == FeedJSON.braceOpen ? "an object" : "an array")")
        }
        return content
    }

    /// Takes one token; false after an error from which there is no way back.
    private mutating func step() -> Bool {
        let byte = bytes[position]
        switch byte {
        case UInt8(ascii: "\n"):
            position += 1
            line += 1
            lineStart = position
        case 32, 9, 13, UInt8(ascii: ","), UInt8(ascii: ":"):
            if byte == UInt8(ascii: ",") {
                expectsKey = open.last == FeedJSON.braceOpen
                isPrefixKey = false
            }
            position += 1
        case FeedJSON.braceOpen, FeedJSON.bracketOpen:
            open.append(byte)
            expectsKey = byte == FeedJSON.braceOpen
            isPrefixKey = false
            position += 1
        case FeedJSON.braceClose, FeedJSON.bracketClose:
            // ASCII puts two between a bracket and its counterpart.
            guard open.popLast() == byte - 2 else {
                note(position, "a bracket closes what is not open")
                return false
            }
            expectsKey = false
            isPrefixKey = false
            position += 1
        case UInt8(ascii: "\""): return readText()
        default:
            guard isWordByte(byte) else {
                note(position, "this is no JSON")
                return false
            }
            while position < bytes.count, isWordByte(bytes[position]) { position += 1 }
        }
        return true
    }

    private mutating func readText() -> Bool {
        let start = position + 1
        var end = start, hasEscape = false
        while end < bytes.count, bytes[end] != UInt8(ascii: "\"") {
            guard bytes[end] != UInt8(ascii: "\n") else {
                note(position, "a text goes on over the end of the line")
                return false
            }
            if bytes[end] == UInt8(ascii: "\\") {
                hasEscape = true
                end += 1
            }
            end += 1
        }
        guard end < bytes.count else {
            note(position, "a text has no end")
            return false
        }
        position = end + 1
        if expectsKey {
            expectsKey = false
            isPrefixKey = FeedJSON.keys.contains(String(decoding: bytes[start..<end], as: UTF8.self))
            return true
        }
        guard isPrefixKey || open.last == FeedJSON.bracketOpen else { return true }
        guard !hasEscape else {
            note(start - 1, "an address with an escape")
            return true
        }
        // Lent out: nothing else may hold it while it grows.
        var lent = FeedContent()
        swap(&lent, &content)
        reader.readEntry(bytes.span, start..<end, line: line, column: start - lineStart, &lent)
        content = lent
        return true
    }

    private mutating func note(_ place: Int, _ message: String) {
        content.note(reader.fault(line, place - lineStart, message))
    }

    /// Of numbers, `true`, `false`, `null`.
    private func isWordByte(_ byte: UInt8) -> Bool {
        byte &- 48 < 10 || (byte | 32) &- 97 < 26 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
            || byte == UInt8(ascii: ".")
    }
}
