// SPDX-License-Identifier: Apache-2.0

/// The values of labels, which may be anything that somebody called a workload, a file or a feed.
enum LabelText {
    /// Bytes of UTF-8 that a value may have.
    static let bytesMax = 128

    /// The value without what a terminal or a parser obeys, and not longer than allowed.
    static func clean(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var length = 0
        // What is left out does not count, so the bound is on what is looked at, too.
        for scalar in text.unicodeScalars.prefix(bytesMax + 1) {
            let visible = isInvisible(scalar) ? "?" : scalar
            let width = UTF8.width(visible)
            guard length + width <= bytesMax else { return shortened(result) }
            result.append(visible)
            length += width
        }
        return String(result)
    }

    /// What does not fit is marked.
    private static func shortened(_ scalars: String.UnicodeScalarView) -> String {
        var scalars = scalars
        var room = bytesMax - scalars.reduce(0) { $0 + UTF8.width($1) }
        while room < 3, let last = scalars.popLast() { room += UTF8.width(last) }
        scalars.append("…")
        return String(scalars)
    }

    /// Control characters, and those that turn the direction of writing or break lines.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f...0x9f, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x2069, 0xfeff: true
        default: false
        }
    }

    /// The value as it stands between quotes, in both formats.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
