// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// The text of a file, for the lines that diagnostics show.
struct SourceText {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The line with the marked part's length; a part that goes on in the next line ends with its first.
    func excerpt(from start: YAMLMark, to end: YAMLMark?) -> SourceExcerpt? {
        let line = SourceText.line(start.line, of: bytes)
        guard !line.isEmpty else { return nil }
        let rest = line.unicodeScalars.count - start.column + 1
        guard let end, end.line == start.line else {
            let text = line.unicodeScalars.dropFirst(start.column - 1)
            let trimmed = text.reversed().drop { $0.properties.isWhitespace }.count
            return SourceExcerpt(line: line, length: end == nil ? 1 : trimmed)
        }
        return SourceExcerpt(line: line, length: min(end.column - start.column, rest))
    }

    /// A line by its number from 1, without its end and cut if long; empty if there is none.
    static func line(_ number: Int, of bytes: [UInt8]) -> String {
        var current = 1
        var start = 0
        while current < number {
            guard let end = bytes[start...].firstIndex(of: 10) else { return "" }
            start = end + 1
            current += 1
        }
        let line = bytes[start...].prefix { $0 != 10 && $0 != 13 }
        return String(decoding: line.prefix(4096), as: UTF8.self)
    }
}
