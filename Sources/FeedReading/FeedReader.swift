// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Reads texts that list prefixes: one a line (plain, netset, `ipset save`), or JSON.
///
/// A line may hold an address, a prefix or a range `first-last`; `#`, `;` and `//` begin a comment. What cannot be read is
/// left out and reported with its place; the rest counts.
package struct FeedReader: Sendable {
    package let file: String
    /// Reads `0.0.0.0/0` and prefixes that are hardly longer; else such a line is a fault.
    package let allowsWidePrefixes: Bool

    /// Prefixes shorter than these are taken for a mistake.
    package static let shortestIPv4 = 8
    package static let shortestIPv6 = 16

    package init(file: String, allowsWidePrefixes: Bool = false) {
        self.file = file
        self.allowsWidePrefixes = allowsWidePrefixes
    }

    /// JSON if the first byte that is no white space opens an object or an array.
    package func read(_ bytes: [UInt8]) -> FeedContent {
        let first = bytes.first { !FeedReader.isSpace($0) && $0 != UInt8(ascii: "\n") }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
            var json = FeedJSON(reader: self, bytes: bytes)
            return json.read()
        }
        return readLines(bytes.span)
    }

    private func readLines(_ bytes: Span<UInt8>) -> FeedContent {
        var content = FeedContent()
        // A line of a feed of single addresses has about 14 bytes.
        content.prefixes.reserveCapacity(bytes.count / 14)
        var line = 1
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            readLine(bytes, start..<end, line, &content)
            start = end + 1
            line += 1
        }
        return content
    }

    private func readLine(_ bytes: Span<UInt8>, _ range: Range<Int>, _ line: Int, _ content: inout FeedContent) {
        var words = FeedWords(range)
        guard var word = words.next(in: bytes) else { return }
        // `ipset save`: sets are made and filled by commands.
        if FeedReader.isEqual(bytes, word, "create") { return }
        if FeedReader.isEqual(bytes, word, "add") {
            guard words.next(in: bytes) != nil, let entry = words.next(in: bytes) else {
                content.note(fault(line, word.lowerBound - range.lowerBound, "`add` without a set and an entry"))
                return
            }
            word = entry
        } else if let more = words.next(in: bytes) {
            content.note(
                fault(line, more.lowerBound - range.lowerBound, "a second word; a comment begins with #, ; or //"))
            return
        }
        readEntry(bytes, word, line: line, column: word.lowerBound - range.lowerBound, &content)
    }

    /// An address, a prefix or a range.
    func readEntry(
        _ bytes: Span<UInt8>, _ range: Range<Int>, line: Int, column: Int, _ content: inout FeedContent
    ) {
        if let prefix = FeedReader.quickIPv4(bytes, range) {
            add(prefix, line: line, column: column, &content)
            return
        }
        let dash = range.first { bytes[$0] == UInt8(ascii: "-") }
        do throws(AddressSyntaxError) {
            guard let dash else {
                add(try FeedReader.prefix(bytes, range), line: line, column: column, &content)
                return
            }
            let first = try IPAddress.parse(bytes.extracting(range.lowerBound..<dash))
            let last = try IPAddress.parse(bytes.extracting((dash + 1)..<range.upperBound))
            guard let prefixes = CIDR.covering(first, through: last) else {
                throw AddressSyntaxError("the range ends before it begins, or mixes the families")
            }
            for prefix in prefixes { add(prefix, line: line, column: column, &content) }
        } catch {
            content.note(fault(line, column, "not an address, prefix or range: \(error.reason)"))
        }
    }

    private func add(_ prefix: CIDR, line: Int, column: Int, _ content: inout FeedContent) {
        let shortest = prefix.isIPv4 ? FeedReader.shortestIPv4 : FeedReader.shortestIPv6
        guard prefix.length >= shortest || allowsWidePrefixes else {
            content.note(
                fault(
                    line, column,
                    "\(prefix) is shorter than /\(shortest), which looks like a mistake; `allowWide: true` takes it"))
            return
        }
        content.prefixes.append(prefix)
    }

    func fault(_ line: Int, _ offset: Int, _ message: String) -> FeedFault {
        FeedFault(file: file, line: line, column: offset + 1, message)
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }

    private static func isEqual(_ bytes: Span<UInt8>, _ range: Range<Int>, _ word: StaticString) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { text in
            for (index, position) in range.enumerated() where unsafe text[index] != bytes[position] { return false }
            return true
        }
    }

    private static func prefix(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(AddressSyntaxError) -> CIDR {
        guard range.contains(where: { bytes[$0] == UInt8(ascii: "/") }) else {
            return CIDR(host: try IPAddress.parse(bytes.extracting(range)))
        }
        let text = String(decoding: range.map { bytes[$0] }, as: UTF8.self)
        return try CIDR.parseLenient(text).prefix
    }
}

/// The words of a line before its comment.
private struct FeedWords {
    private var position: Int
    private let end: Int

    init(_ range: Range<Int>) {
        position = range.lowerBound
        end = range.upperBound
    }

    mutating func next(in bytes: Span<UInt8>) -> Range<Int>? {
        while position < end, FeedReader.isSpace(bytes[position]) { position += 1 }
        let start = position
        while position < end, !FeedReader.isSpace(bytes[position]) {
            guard !beginsComment(bytes) else {
                let word = start..<position
                position = end
                return word.isEmpty ? nil : word
            }
            position += 1
        }
        return start == position ? nil : start..<position
    }

    private func beginsComment(_ bytes: Span<UInt8>) -> Bool {
        switch bytes[position] {
        case UInt8(ascii: "#"), UInt8(ascii: ";"): true
        // One slash is a prefix's.
        case UInt8(ascii: "/"): position + 1 < end && bytes[position + 1] == UInt8(ascii: "/")
        default: false
        }
    }
}
