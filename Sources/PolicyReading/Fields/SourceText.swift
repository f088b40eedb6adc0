// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// The text of a file, for the lines that diagnostics show.
struct SourceText {
    private let bytes: [UInt8]
    /// Where the line stands that was asked for last: diagnostics come mostly in the order of the text, and a file of
    /// megabytes is not to be read again for each.
    private var last = Place()

    /// A line and the byte at which it begins.
    private struct Place {
        var line = 1
        var index = 0
    }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The line with the marked part's length; a part that goes on in the next line ends with its first.
    mutating func excerpt(from start: YAMLMark, to end: YAMLMark?) -> SourceExcerpt? {
        if start.line < last.line { last = Place() }
        let line = SourceText.line(start.line, of: bytes, after: &last)
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
        var start = Place()
        return line(number, of: bytes, after: &start)
    }

    /// `place`: of a line up to this one; becomes that of this one, if there is one.
    private static func line(_ number: Int, of bytes: [UInt8], after place: inout Place) -> String {
        var current = place.line
        var index = place.index
        while current < number {
            guard index < bytes.count else { return "" }
            let length = breakLength(at: index, in: bytes)
            if length > 0 { current += 1 }
            index += max(1, length)
        }
        place = Place(line: current, index: index)
        // A byte order mark is no column.
        if index == 0, bytes.starts(with: [0xef, 0xbb, 0xbf]) { index = 3 }
        let start = index
        while index < bytes.count, index < start + 4096, breakLength(at: index, in: bytes) == 0 { index += 1 }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// Lines of the text, a last one without an end included.
    static func lineCount(of bytes: [UInt8]) -> Int {
        var count = 1
        var index = 0
        while index < bytes.count {
            let length = breakLength(at: index, in: bytes)
            if length > 0 { count += 1 }
            index += max(1, length)
        }
        return count
    }

    /// Bytes of the line break here, 0 if there is none.
    ///
    /// libyaml counts lines by YAML 1.1: LF, CR, CR LF, NEL, LS, PS.
    static func breakLength(at index: Int, in bytes: [UInt8]) -> Int {
        func byte(_ offset: Int) -> UInt8 { index + offset < bytes.count ? bytes[index + offset] : 0 }
        switch byte(0) {
        case 0x0a: return 1
        case 0x0d: return byte(1) == 0x0a ? 2 : 1
        case 0xc2: return byte(1) == 0x85 ? 2 : 0
        case 0xe2: return byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9) ? 3 : 0
        default: return 0
        }
    }
}
