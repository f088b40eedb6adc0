// SPDX-License-Identifier: Apache-2.0

/// The declarations of a Swift file that have a body: functions, initializers, subscripts, computed properties and
/// stored ones that a closure fills.
struct SwiftBodies {
    private let lines: [[UInt8]]

    /// `lines`: without comments and the inside of strings.
    init(_ lines: [String]) { self.lines = lines.map { Array($0.utf8) } }

    var all: [Sizes.Function] {
        lines.indices.compactMap { index in
            guard let name = SwiftBodies.declaredName(String(decoding: lines[index], as: UTF8.self)),
                let open = openingBrace(from: index)
            else { return nil }
            return Sizes.Function(name: name, line: index + 1, length: closingLine(of: open) - index + 1)
        }
    }

    private static let modifiers: Set<Substring> = [
        "public", "package", "internal", "private", "fileprivate", "open", "static", "class", "final", "override",
        "mutating", "nonmutating", "lazy", "weak", "unowned", "nonisolated", "required", "convenience", "unsafe",
    ]

    private static func declaredName(_ line: String) -> String? {
        let words = line.split(separator: " ")
        if let keyword = words.firstIndex(of: "func"), keyword + 1 < words.count {
            return String(words[keyword + 1].prefix { $0 != "(" && $0 != "<" })
        }
        let head = words.drop { word in
            word.hasPrefix("@") || modifiers.contains(word.prefix { $0 != "(" })
        }
        guard let keyword = head.first else { return nil }
        for word in ["init", "subscript", "deinit"] where keyword.prefix(while: \.isLetter) == word { return word }
        guard keyword == "var" || keyword == "let", let name = head.dropFirst().first else { return nil }
        return String(name.prefix { $0.isLetter || $0.isNumber || $0 == "_" })
    }

    /// The brace that opens the body; nil: a requirement, or a value that is no closure.
    private func openingBrace(from start: Int) -> (line: Int, column: Int)? {
        var depth = 0
        for index in start..<min(start + 60, lines.count) {
            if index > start, depth == 0, !continues(lines[index]) { return nil }
            for (column, byte) in lines[index].enumerated() {
                switch byte {
                case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
                case UInt8(ascii: "{") where depth == 0: return (index, column)
                default: break
                }
            }
            // The end of what this declaration stands in.
            if depth < 0 { return nil }
        }
        return nil
    }

    /// Whether a line goes on with the declaration above it.
    private func continues(_ line: [UInt8]) -> Bool {
        let text = String(decoding: line, as: UTF8.self).drop { $0 == " " }
        return ["where ", "->", "{", "throws", "async", ")", "=", ".", "?", ":", "&", "|"].contains {
            text.hasPrefix($0)
        }
    }

    private func closingLine(of open: (line: Int, column: Int)) -> Int {
        var depth = 0
        for index in open.line..<lines.count {
            for byte in index == open.line ? lines[index][open.column...] : lines[index][...] {
                if byte == UInt8(ascii: "{") { depth += 1 }
                if byte == UInt8(ascii: "}") { depth -= 1 }
                if depth == 0 { return index }
            }
        }
        return lines.count - 1
    }
}
