// SPDX-License-Identifier: Apache-2.0

/// Cuts the text of a selector into words, quoted values and symbols.
struct CalicoSelectorLexer {
    enum Kind: Hashable {
        /// A label key, an operator in letters, or the name of a function.
        case word(String)
        case string(String)
        case symbol(String)
        case end
    }

    struct Token: CustomStringConvertible {
        var kind: Kind
        var offset: Int
        var length: Int

        var description: String {
            switch kind {
            case .word(let text), .symbol(let text): "`\(text)`"
            case .string(let text): "'\(text)'"
            case .end: "the end of the selector"
            }
        }
    }

    private let scalars: [Unicode.Scalar]
    private var index = 0

    init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

    mutating func next() throws(CalicoSelectorError) -> Token {
        while index < scalars.count, scalars[index].properties.isWhitespace { index += 1 }
        guard index < scalars.count else { return Token(kind: .end, offset: scalars.count, length: 0) }
        let start = index
        let first = scalars[index]
        if first == "'" || first == "\"" { return try string(endingWith: first) }
        if CalicoSelectorLexer.isWord(first) {
            while index < scalars.count, CalicoSelectorLexer.isWord(scalars[index]) { index += 1 }
            return Token(kind: .word(text(start..<index)), offset: start, length: index - start)
        }
        for symbol in ["==", "!=", "&&", "||", "!", "(", ")", "{", "}", ","]
        where scalars[start...].starts(with: symbol.unicodeScalars) {
            index += symbol.unicodeScalars.count
            return Token(kind: .symbol(symbol), offset: start, length: index - start)
        }
        let remedies: [Unicode.Scalar: String] = ["=": "write ==", "&": "write &&", "|": "write ||"]
        throw CalicoSelectorError(
            message: "`\(first)` has no meaning in a selector",
            remedy: remedies[first] ?? "label keys have letters, digits, `-`, `_`, `.` and `/`; values stand in quotes",
            offset: start)
    }

    private mutating func string(endingWith quote: Unicode.Scalar) throws(CalicoSelectorError) -> Token {
        let start = index
        index += 1
        while index < scalars.count, scalars[index] != quote { index += 1 }
        guard index < scalars.count else {
            throw CalicoSelectorError(
                message: "the value that begins here has no closing quote", remedy: "add \(quote) behind it",
                offset: start, length: scalars.count - start)
        }
        index += 1
        return Token(kind: .string(text(start + 1..<index - 1)), offset: start, length: index - start)
    }

    private func text(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[range])
        return String(view)
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".", "/": true
        default: false
        }
    }
}
