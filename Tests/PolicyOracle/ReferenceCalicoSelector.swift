// SPDX-License-Identifier: Apache-2.0

/// Calico's selector language, read and answered in one go.
///
/// `||` binds loosest, then `&&`, then `!`.
struct ReferenceCalicoSelector {
    private var words: [String]
    /// Values of a key; none if the key is absent.
    private let values: (String) -> [String]
    /// What `global()` answers.
    private let isGlobal: Bool

    /// Whether a selector holds; an empty one always does.
    static func matches(_ text: String, isGlobal: Bool, _ values: @escaping (String) -> [String]) -> Bool {
        var reading = ReferenceCalicoSelector(words: words(of: text), values: values, isGlobal: isGlobal)
        return reading.words.isEmpty || reading.either()
    }

    /// Signs, bare words, and texts with a quote before them.
    private static func words(of text: String) -> [String] {
        var words: [String] = []
        var rest = text[...]
        while let first = rest.first {
            if first == " " {
                rest.removeFirst()
            } else if first == "'" || first == "\"" {
                let content = rest.dropFirst().prefix { $0 != first }
                words.append("'" + content)
                rest = rest.dropFirst(content.count + 2)
            } else if let sign = ["||", "&&", "==", "!=", "!", "(", ")", "{", "}", ","].first(where: rest.hasPrefix) {
                words.append(sign)
                rest = rest.dropFirst(sign.count)
            } else {
                let word = rest.prefix { !" '\"|&=!(){},".contains($0) }
                words.append(String(word))
                rest = rest.dropFirst(word.count)
            }
        }
        return words
    }

    private mutating func take(_ word: String) -> Bool {
        guard words.first == word else { return false }
        words.removeFirst()
        return true
    }

    private mutating func next() -> String { words.isEmpty ? "" : words.removeFirst() }

    private mutating func either() -> Bool {
        var result = both()
        while take("||") {
            let other = both()
            result = result || other
        }
        return result
    }

    private mutating func both() -> Bool {
        var result = single()
        while take("&&") {
            let other = single()
            result = result && other
        }
        return result
    }

    private mutating func single() -> Bool {
        if take("!") { return !single() }
        if take("(") {
            let result = either()
            _ = take(")")
            return result
        }
        let word = next()
        if words.first == "(", ["has", "all", "global"].contains(word) {
            _ = take("(")
            let key = word == "has" ? next() : ""
            _ = take(")")
            return word == "all" || (word == "global" ? isGlobal : !values(key).isEmpty)
        }
        return test(values(word))
    }

    private mutating func test(_ present: [String]) -> Bool {
        switch next() {
        case "==":
            let wanted = text()
            return present.contains(wanted)
        case "!=":
            let unwanted = text()
            return !present.contains(unwanted)
        case "in":
            let listed = list()
            return present.contains { listed.contains($0) }
        case "not":
            _ = take("in")
            let listed = list()
            return !present.contains { listed.contains($0) }
        case "contains":
            let part = text()
            return present.contains { value in part.isEmpty || value.contains(part) }
        case "starts":
            _ = take("with")
            let part = text()
            return present.contains { $0.hasPrefix(part) }
        case "ends":
            _ = take("with")
            let part = text()
            return present.contains { $0.hasSuffix(part) }
        default: return false
        }
    }

    private mutating func text() -> String { String(next().dropFirst()) }

    private mutating func list() -> [String] {
        var result: [String] = []
        _ = take("{")
        while let word = words.first, word != "}" {
            if word != "," { result.append(String(word.dropFirst())) }
            words.removeFirst()
        }
        _ = take("}")
        return result
    }
}
