// SPDX-License-Identifier: Apache-2.0

/// Says whether a text is a regular expression as Go's `regexp` takes it (RE2 syntax with Perl's classes): that is what
/// decides in a cluster whether a layer 7 rule is accepted.
///
/// Names of Unicode scripts (`\p{Greek}`) are not looked up. Takes time and memory in proportion to the text.
struct RegularExpressionSyntax {
    /// The first mistake: a range of characters (Unicode scalars, from 0) and what is wrong with it.
    struct Fault: Error, Equatable {
        let offset: Int
        let length: Int
        let message: String
    }

    /// Go refuses expressions that are nested deeper, and repetitions that multiply to more.
    private static let levelsMax = 1000
    private static let repetitionsMax = 1000

    /// An open parenthesis, and what is known of the text behind it so far.
    private struct Group {
        let offset: Int
        /// Products of the counted repetitions inside, one in another.
        var repetitions = 1
    }

    private let text: [Unicode.Scalar]
    private var position = 0
    private var groups: [Group] = []
    private var repetitions = 1
    private var names: Set<String> = []
    /// Counted repetitions within what stands before `position`; nil: nothing that could be repeated stands there.
    private var last: Int?
    private var lastIsRepeated = false

    private init(_ text: String) { self.text = Array(text.unicodeScalars) }

    /// The first mistake in a text; nil if there is none.
    static func fault(in text: String) -> Fault? {
        var syntax = RegularExpressionSyntax(text)
        do throws(Fault) {
            try syntax.read()
            return nil
        } catch {
            return error
        }
    }

    private mutating func read() throws(Fault) {
        while let scalar = peek {
            switch scalar {
            case "(": try open()
            case ")": try close()
            case "|":
                position += 1
                (last, lastIsRepeated) = (nil, false)
            case "*", "+", "?": try repeated(from: position, to: position + 1, by: 1)
            case "{":
                if let (end, counts) = count() {
                    let upper = counts.upper ?? counts.lower
                    guard counts.lower <= RegularExpressionSyntax.repetitionsMax,
                        upper <= RegularExpressionSyntax.repetitionsMax, counts.lower <= upper
                    else { throw fault(position, end, "a repetition counts to 1000 at most, and not backwards") }
                    try repeated(from: position, to: end, by: max(upper, 1))
                } else {
                    position += 1
                    atom()
                }
            case "[": try bracket()
            case "\\": try escape()
            default:
                position += 1
                atom()
            }
        }
        if let group = groups.last { throw fault(group.offset, group.offset + 1, "`(` is not closed") }
    }

    private var peek: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private func fault(_ from: Int, _ to: Int, _ message: String) -> Fault {
        Fault(offset: from, length: max(1, min(to, text.count) - from), message: message)
    }

    /// Something that can be repeated ends here.
    private mutating func atom(repetitions inside: Int = 1) {
        (last, lastIsRepeated) = (inside, false)
        repetitions = max(repetitions, inside)
    }

    private mutating func repeated(from start: Int, to end: Int, by factor: Int) throws(Fault) {
        guard let inside = last else { throw fault(start, end, "nothing stands before this repetition") }
        guard !lastIsRepeated else { throw fault(start, end, "a repetition of a repetition") }
        let product = inside * factor
        guard product <= RegularExpressionSyntax.repetitionsMax else {
            throw fault(start, end, "repetitions of repetitions that count to more than 1000")
        }
        position = end
        if peek == "?" { position += 1 }
        (last, lastIsRepeated) = (product, true)
        repetitions = max(repetitions, product)
    }

    /// `{n}`, `{n,}` or `{n,m}` here; nil: an ordinary brace.
    private func count() -> (end: Int, counts: (lower: Int, upper: Int?))? {
        guard let close = text[position...].prefix(24).firstIndex(of: "}") else { return nil }
        let parts = text[(position + 1)..<close].split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.map { part -> Int? in
            guard !part.isEmpty, part.allSatisfy({ ("0"..."9").contains($0) }), part.count == 1 || part.first != "0"
            else { return nil }
            return part.count > 9 ? Int(Int32.max) : Int(String(String.UnicodeScalarView(part)))
        }
        guard parts.count <= 2, let lower = numbers[0] else { return nil }
        if parts.count == 1 { return (close + 1, (lower, lower)) }
        guard !parts[1].isEmpty else { return (close + 1, (lower, nil)) }
        return numbers[1].map { (close + 1, (lower, $0)) }
    }

    // MARK: Groups

    private mutating func open() throws(Fault) {
        let start = position
        position += 1
        if peek == "?" {
            let isGroup = try perlGroup(from: start)
            guard isGroup else { return }
        }
        guard groups.count < RegularExpressionSyntax.levelsMax else {
            throw fault(start, start + 1, "nested deeper than 1000 levels")
        }
        groups.append(Group(offset: start, repetitions: repetitions))
        repetitions = 1
        (last, lastIsRepeated) = (nil, false)
    }

    private mutating func close() throws(Fault) {
        guard let group = groups.popLast() else { throw fault(position, position + 1, "`)` closes nothing") }
        let inside = repetitions
        repetitions = group.repetitions
        position += 1
        atom(repetitions: inside)
    }

    /// What follows `(?`: a name, flags; false for flags that stand alone.
    private mutating func perlGroup(from start: Int) throws(Fault) -> Bool {
        position += 1
        if peek == "P" || peek == "<" {
            let isPython = peek == "P"
            position = min(position + (isPython ? 2 : 1), text.count)
            let first = position
            while let scalar = peek, scalar == "_" || RegularExpressionSyntax.isAlphanumeric(scalar) { position += 1 }
            let name = String(String.UnicodeScalarView(text[first..<position]))
            guard !isPython || text[first - 1] == "<", peek == ">", !name.isEmpty else {
                throw fault(
                    start, position + 1, "a group that is neither plain nor named: there is no look-ahead or -behind")
            }
            guard names.insert(name).inserted else { throw fault(first, position, "a second group of this name") }
            position += 1
            return true
        }
        var hasFlag = false
        var isNegative = false
        while let scalar = peek {
            position += 1
            switch scalar {
            case "i", "m", "s", "U": hasFlag = true
            case "-" where !isNegative: (isNegative, hasFlag) = (true, false)
            case ":" where !isNegative || hasFlag: return true
            case ")" where !isNegative || hasFlag: return false
            default: throw fault(start, position, "`(?` is followed by no flags: there is no look-ahead or -behind")
            }
        }
        throw fault(start, start + 1, "`(` is not closed")
    }

    // MARK: Classes and escapes

    private mutating func bracket() throws(Fault) {
        let start = position
        position += 1
        if peek == "^" { position += 1 }
        var isFirst = true
        while let scalar = peek, scalar != "]" || isFirst {
            isFirst = false
            if scalar == "[", position + 1 < text.count, text[position + 1] == ":", let end = classEnd() {
                try posixClass(to: end)
                continue
            }
            let from = position
            guard let lower = try classScalar() else { continue }
            guard peek == "-", position + 1 < text.count, text[position + 1] != "]" else { continue }
            position += 1
            guard let upper = try classScalar(), lower.value <= upper.value else {
                throw fault(from, position, "a range that runs backwards, or to a class")
            }
        }
        guard peek == "]" else { throw fault(start, start + 1, "`[` is not closed") }
        position += 1
        atom()
    }

    /// Where the `:]` of a named class begins.
    private func classEnd() -> Int? {
        (position + 2..<max(position + 2, text.count - 1)).prefix(32).first {
            text[$0] == ":" && text[$0 + 1] == "]"
        }
    }

    private static let classes: Set<String> = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word",
        "xdigit",
    ]

    private mutating func posixClass(to end: Int) throws(Fault) {
        var name = String(String.UnicodeScalarView(text[(position + 2)..<end]))
        if name.hasPrefix("^") { name.removeFirst() }
        guard RegularExpressionSyntax.classes.contains(name) else {
            throw fault(position, end + 2, "there is no class of characters of this name")
        }
        position = end + 2
    }

    /// One character of a class; nil: a class in it, which begins no range.
    private mutating func classScalar() throws(Fault) -> Unicode.Scalar? {
        guard let scalar = peek else { throw fault(text.count - 1, text.count, "`[` is not closed") }
        position += 1
        guard scalar == "\\" else { return scalar }
        let start = position - 1
        guard let escaped = peek else { throw fault(start, start + 1, "a backslash with nothing behind it") }
        if "dswDSW".unicodeScalars.contains(escaped) {
            position += 1
            return nil
        }
        if escaped == "p" || escaped == "P" {
            try unicodeClass(from: start)
            return nil
        }
        return try escapedScalar(from: start)
    }

    private mutating func escape() throws(Fault) {
        let start = position
        position += 1
        guard let scalar = peek else { throw fault(start, start + 1, "a backslash with nothing behind it") }
        switch scalar {
        case "d", "s", "w", "D", "S", "W", "A", "b", "B", "z": position += 1
        case "p", "P": try unicodeClass(from: start)
        case "Q":
            position += 1
            while position < text.count,
                !(text[position] == "\\" && position + 1 < text.count && text[position + 1] == "E")
            {
                position += 1
            }
            position = min(position + 2, text.count)
        default: _ = try escapedScalar(from: start)
        }
        atom()
    }

    private mutating func unicodeClass(from start: Int) throws(Fault) {
        position += 1
        guard let scalar = peek else { throw fault(start, position, "a class of Unicode without a name") }
        position += 1
        guard scalar == "{" else {
            guard "CLMNPSZ".unicodeScalars.contains(scalar) else {
                throw fault(start, position, "there is no class of Unicode of this name")
            }
            return
        }
        let first = position
        while let next = peek, next != "}" {
            guard next == "_" || RegularExpressionSyntax.isAlphanumeric(next) || next == "^" && position == first else {
                throw fault(start, position + 1, "there is no class of Unicode of this name")
            }
            position += 1
        }
        guard peek == "}", position > first else { throw fault(start, position, "a class of Unicode without a name") }
        position += 1
    }

    /// What a backslash makes of the character behind it.
    private mutating func escapedScalar(from start: Int) throws(Fault) -> Unicode.Scalar {
        let scalar = text[position]
        position += 1
        switch scalar {
        case "a": return "\u{7}"
        case "f": return "\u{c}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "v": return "\u{b}"
        case "x": return try hexadecimal(from: start)
        case "0"..."7":
            var value = scalar.value - 48
            var digits = 1
            while digits < 3, let next = peek, ("0"..."7").contains(next) {
                value = value * 8 + next.value - 48
                digits += 1
                position += 1
            }
            // A single digit but 0 would be a back-reference.
            guard digits > 1 || scalar == "0", let result = Unicode.Scalar(value) else { break }
            return result
        default:
            if scalar.isASCII, !RegularExpressionSyntax.isAlphanumeric(scalar) { return scalar }
        }
        throw fault(start, position, "an escape that does not exist: there are no back-references, \\Z or \\C")
    }

    private mutating func hexadecimal(from start: Int) throws(Fault) -> Unicode.Scalar {
        let isBraced = peek == "{"
        if isBraced { position += 1 }
        let first = position
        while let next = peek, Int(String(next), radix: 16) != nil, isBraced || position < first + 2 { position += 1 }
        let digits = String(String.UnicodeScalarView(text[first..<position]))
        let isWhole = isBraced ? peek == "}" : digits.count == 2
        guard isWhole, digits.count <= 8, let value = UInt32(digits, radix: 16), value <= 0x10_ffff else {
            throw fault(start, position + 1, "\\x is followed by two hexadecimal digits, or by some in braces")
        }
        if isBraced { position += 1 }
        // Go has no quarrel with surrogates; which one it is matters to ranges only.
        return Unicode.Scalar(value) ?? "\u{d7ff}"
    }

    private static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
        ("0"..."9").contains(scalar) || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }
}
