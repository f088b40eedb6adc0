// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// A selector of Calico's language as it is written.
indirect enum CalicoSelector: Hashable {
    /// `all()`.
    case all
    /// `global()`: what is in no namespace.
    case global
    case test(key: String, LabelRequirement.Operator)
    case not(CalicoSelector)
    case both(CalicoSelector, CalicoSelector)
    case either(CalicoSelector, CalicoSelector)
}

/// What is wrong with the text of a selector, and where: characters (Unicode scalars) from 0.
struct CalicoSelectorError: Error, Hashable {
    var message: String
    var remedy: String
    var offset: Int
    var length = 1
}

/// Reads the text of selectors: `has(role) && tier in {'web', 'api'} || !(env starts with "dev")`.
///
/// `||` binds loosest, `!` closest. An empty text means `all()`.
struct CalicoSelectorParser {
    private var lexer: CalicoSelectorLexer
    private var token: CalicoSelectorLexer.Token
    private var depth = 0

    private static let textLengthMax = 16_384
    private static let depthMax = 64

    static func parse(_ text: String) throws(CalicoSelectorError) -> CalicoSelector {
        let scalars = Array(text.unicodeScalars)
        guard scalars.count <= textLengthMax else {
            throw CalicoSelectorError(
                message: "the selector has \(scalars.count) characters, the limit is \(textLengthMax)",
                remedy: "split the rule", offset: 0)
        }
        var parser = try CalicoSelectorParser(scalars)
        guard parser.token.kind != .end else { return .all }
        let selector = try parser.either()
        guard parser.token.kind == .end else {
            throw parser.unexpected("`&&`, `||` or the end of the selector")
        }
        return selector
    }

    private init(_ scalars: [Unicode.Scalar]) throws(CalicoSelectorError) {
        lexer = CalicoSelectorLexer(scalars)
        token = try lexer.next()
    }

    private mutating func either() throws(CalicoSelectorError) -> CalicoSelector {
        var result = try both()
        while try take(.symbol("||")) { result = .either(result, try both()) }
        return result
    }

    private mutating func both() throws(CalicoSelectorError) -> CalicoSelector {
        var result = try unary()
        while try take(.symbol("&&")) { result = .both(result, try unary()) }
        return result
    }

    private mutating func unary() throws(CalicoSelectorError) -> CalicoSelector {
        depth += 1
        defer { depth -= 1 }
        guard depth <= CalicoSelectorParser.depthMax else {
            throw CalicoSelectorError(
                message: "the selector is nested more than \(CalicoSelectorParser.depthMax) deep",
                remedy: "write it flatter", offset: token.offset)
        }
        if try take(.symbol("!")) { return .not(try unary()) }
        if try take(.symbol("(")) {
            let inner = try either()
            try expect(")")
            return inner
        }
        return try condition()
    }

    private mutating func condition() throws(CalicoSelectorError) -> CalicoSelector {
        guard case .word(let word) = token.kind else {
            throw unexpected("a label, `has(...)`, `all()`, `!` or `(`")
        }
        let place = token
        try advance()
        if token.kind == .symbol("("), token.offset == place.offset + word.unicodeScalars.count {
            return try call(word, at: place)
        }
        return .test(key: word, try operation(of: word))
    }

    private mutating func call(_ name: String, at place: CalicoSelectorLexer.Token) throws(CalicoSelectorError)
        -> CalicoSelector
    {
        guard ["has", "all", "global"].contains(name) else {
            let guess = closestWord(to: name, among: ["has", "all", "global"])
            throw CalicoSelectorError(
                message: "`\(name)` is not a function of selectors",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "functions are has(label), all() and global()",
                offset: place.offset, length: place.length)
        }
        try expect("(")
        guard name == "has" else {
            try expect(")")
            return name == "all" ? .all : .global
        }
        guard case .word(let key) = token.kind else { throw unexpected("a label in has(...)") }
        try advance()
        try expect(")")
        return .test(key: key, .exists)
    }

    private mutating func operation(of key: String) throws(CalicoSelectorError) -> LabelRequirement.Operator {
        if try take(.symbol("==")) { return .isIn([try string()]) }
        if try take(.symbol("!=")) { return .isNotIn([try string()]) }
        if try take(.word("in")) { return .isIn(try set()) }
        if try take(.word("contains")) { return .has(.anywhere, try string()) }
        if try take(.word("not")) {
            guard try take(.word("in")) else { throw unexpected("`in` after `not`") }
            return .isNotIn(try set())
        }
        for (word, place) in [("starts", LabelRequirement.Place.start), ("ends", .end)] {
            guard try take(.word(word)) else { continue }
            guard try take(.word("with")) else { throw unexpected("`with` after `\(word)`") }
            return .has(place, try string())
        }
        throw unexpected("an operator after `\(key)`: ==, !=, in, not in, contains, starts with or ends with")
    }

    private mutating func set() throws(CalicoSelectorError) -> [String] {
        try expect("{")
        var values: [String] = []
        guard token.kind != .symbol("}") else {
            try advance()
            return values
        }
        repeat { values.append(try string()) } while try take(.symbol(","))
        try expect("}")
        return values
    }

    private mutating func string() throws(CalicoSelectorError) -> String {
        guard case .string(let text) = token.kind else { throw unexpected("a value in quotes") }
        try advance()
        return text
    }

    private mutating func take(_ kind: CalicoSelectorLexer.Kind) throws(CalicoSelectorError) -> Bool {
        guard token.kind == kind else { return false }
        try advance()
        return true
    }

    private mutating func expect(_ symbol: String) throws(CalicoSelectorError) {
        guard try take(.symbol(symbol)) else { throw unexpected("`\(symbol)`") }
    }

    private mutating func advance() throws(CalicoSelectorError) { token = try lexer.next() }

    private func unexpected(_ wanted: String) -> CalicoSelectorError {
        CalicoSelectorError(
            message: "expected \(wanted), found \(token.description)",
            remedy: "write it like `role == 'db' && env in {'prod', 'test'}`", offset: token.offset,
            length: max(1, token.length))
    }
}
