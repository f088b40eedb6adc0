// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Cuts lists into texts for their items.
struct ListItemTexts {
    private let bytes: [UInt8]
    private let context: ReadingContext
    /// The byte at each begin and end of an item.
    private let places: [YAMLMark: Int]
    /// How much may still be written anew.
    private var bytesLeft: Int

    init(_ file: [UInt8], _ context: ReadingContext) {
        bytes = file.starts(with: [0xef, 0xbb, 0xbf]) ? Array(file.dropFirst(3)) : file
        self.context = context
        bytesLeft = context.options.limits.byteCountMax
        places = ListItemTexts.places(of: context.listItems.values.flatMap { [$0.start, $0.end] }, in: bytes)
    }

    /// In one pass.
    private static func places(of marks: [YAMLMark], in bytes: [UInt8]) -> [YAMLMark: Int] {
        var places: [YAMLMark: Int] = [:]
        var here = YAMLMark(line: 1, column: 1)
        var index = 0
        for mark in marks.sorted(by: { ($0.line, $0.column) < ($1.line, $1.column) }) {
            while (here.line, here.column) < (mark.line, mark.column), index < bytes.count {
                let length = SourceText.breakLength(at: index, in: bytes)
                index += max(1, length)
                if length > 0 {
                    here = YAMLMark(line: here.line + 1, column: 1)
                } else {
                    while index < bytes.count, bytes[index] & 0xc0 == 0x80 { index += 1 }
                    here.column += 1
                }
            }
            places[mark] = index
        }
        return places
    }

    /// The item as it stands in the list; nil if there is no such place.
    ///
    /// It may mean something else by itself: an anchor may be outside.
    func cut(_ node: YAMLNode) -> PolicyText? {
        guard let start = places[node.start], let end = places[node.end], start < end else { return nil }
        let indentation = node.start.column - 1
        let own = trimmed(bytes[start..<end], indentation: indentation)
        let begin = context.location(node.start)
        // A long line of JSON is no indentation.
        guard own.first != UInt8(ascii: "{"), indentation <= own.count else {
            return PolicyText(
                text: String(decoding: own, as: UTF8.self) + "\n",
                origin: TextOrigin(line: begin.line, column: begin.column))
        }
        return PolicyText(
            text: String(repeating: " ", count: indentation) + String(decoding: own, as: UTF8.self) + "\n",
            origin: TextOrigin(line: begin.line))
    }

    /// Without what stands between this item and the next.
    private func trimmed(_ text: ArraySlice<UInt8>, indentation: Int) -> ArraySlice<UInt8> {
        var text = text
        while true {
            while let last = text.last, [9, 10, 13, 32].contains(last) { text.removeLast() }
            guard let lineBreak = text.lastIndex(of: 10) else { return text }
            let line = text[(lineBreak + 1)...]
            guard let first = line.firstIndex(where: { $0 != 32 }), line[first] == UInt8(ascii: "#"),
                first - line.startIndex < indentation
            else { return text }
            text = text[...lineBreak]
        }
    }

    /// The item written anew on one line, aliases expanded; nil if that takes more than is left.
    mutating func written(_ node: YAMLNode) -> PolicyText? {
        var text = ""
        guard write(node, to: &text) else { return nil }
        bytesLeft -= text.utf8.count
        let begin = context.location(node.start)
        return PolicyText(text: text + "\n", origin: TextOrigin(line: begin.line, column: begin.column))
    }

    private func write(_ node: YAMLNode, to text: inout String) -> Bool {
        switch node.content {
        case .scalar(let scalar):
            if case .string(let string) = scalar.resolved {
                ListItemTexts.quote(string, to: &text)
            } else {
                text += scalar.text.isEmpty ? "null" : scalar.text
            }
        case .sequence(let nodes):
            text += "["
            for (index, node) in nodes.enumerated() {
                if index > 0 { text += ", " }
                guard write(node, to: &text) else { return false }
            }
            text += "]"
        case .mapping(let pairs):
            text += "{"
            for (index, pair) in pairs.enumerated() {
                // The question mark: a key may be long.
                text += index > 0 ? ", ? " : "? "
                ListItemTexts.quote(pair.key, to: &text)
                text += " : "
                guard write(pair.value, to: &text) else { return false }
            }
            text += "}"
        }
        return text.utf8.count <= bytesLeft
    }

    private static func quote(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            if scalar == "\"" || scalar == "\\" {
                text += "\\"
                text.unicodeScalars.append(scalar)
            } else if (0x20...0x7e).contains(scalar.value) {
                text.unicodeScalars.append(scalar)
            } else {
                let digits = String(scalar.value, radix: 16)
                text += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
            }
        }
        text += "\""
    }
}
