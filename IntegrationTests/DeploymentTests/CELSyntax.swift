// SPDX-License-Identifier: Apache-2.0

/// The grammar of the Common Expression Language, as far as validation rules of the API use it.
///
/// Finds what no API server would take: expressions that do not parse, names that nothing binds, functions that do not
/// exist. Types are not looked at.
struct CELSyntax {
    struct Fault: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    private static let macros: Set<String> = ["all", "exists", "exists_one", "filter", "map"]
    private static let methods: Set<String> = [
        "size", "matches", "startsWith", "endsWith", "contains", "lowerAscii", "split", "join", "indexOf", "isSorted",
        "sum", "min",
        "max", "find", "replace", "substring", "trim",
    ]
    private static let functions: Set<String> = ["has", "size", "int", "uint", "double", "string", "type", "dyn"]

    private var tokens: ArraySlice<String>
    private var bound: [String] = ["self", "oldSelf"]

    /// Throws what is wrong with an expression.
    static func check(_ text: String) throws {
        var parser = CELSyntax(tokens: try tokenize(text)[...])
        try parser.ternary()
        if let rest = parser.tokens.first { throw Fault(description: "unexpected \(rest)") }
    }

    private static func tokenize(_ text: String) throws -> [String] {
        var tokens: [String] = []
        var rest = Substring(text)
        let operators = ["&&", "||", "==", "!=", "<=", ">="]
        while let first = rest.first {
            if first.isWhitespace {
                rest.removeFirst()
            } else if first == "'" || first == "\"" {
                guard let end = rest.dropFirst().firstIndex(of: first) else {
                    throw Fault(description: "a text without an end")
                }
                tokens.append("'")
                rest = rest[rest.index(after: end)...]
            } else if first.isLetter || first == "_" || first.isNumber {
                let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                tokens.append(String(word))
                rest = rest.dropFirst(word.count)
            } else if let two = operators.first(where: { rest.hasPrefix($0) }) {
                tokens.append(two)
                rest = rest.dropFirst(2)
            } else if "()[]{}.,:?!<>+-*/%".contains(first) {
                tokens.append(String(first))
                rest.removeFirst()
            } else {
                throw Fault(description: "unexpected \(first)")
            }
        }
        return tokens
    }

    private mutating func take(_ token: String) -> Bool {
        guard tokens.first == token else { return false }
        tokens.removeFirst()
        return true
    }

    private mutating func need(_ token: String) throws {
        guard take(token) else { throw Fault(description: "\(token) expected, not \(tokens.first ?? "the end")") }
    }

    private mutating func ternary() throws {
        try binary()
        guard take("?") else { return }
        try binary()
        try need(":")
        try ternary()
    }

    /// Precedence decides nothing about whether it parses.
    private mutating func binary() throws {
        try unary()
        while let next = tokens.first,
            ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "in", "+", "-", "*", "/", "%"].contains(next)
        {
            tokens.removeFirst()
            try unary()
        }
    }

    private mutating func unary() throws {
        while take("!") || take("-") {}
        try primary()
        while true {
            if take(".") {
                try member()
            } else if take("[") {
                try ternary()
                try need("]")
            } else {
                return
            }
        }
    }

    private mutating func primary() throws {
        guard let token = tokens.popFirst() else { throw Fault(description: "an expression expected, not the end") }
        switch token {
        case "'", "true", "false", "null": return
        case "(":
            try ternary()
            try need(")")
        case "[": try list(until: "]")
        case _ where token.first?.isNumber == true: return
        case _ where tokens.first == "(":
            guard Self.functions.contains(token) else { throw Fault(description: "no function \(token)") }
            tokens.removeFirst()
            try list(until: ")")
        case _ where bound.contains(token): return
        default: throw Fault(description: "nothing is called \(token)")
        }
    }

    private mutating func member() throws {
        guard let name = tokens.popFirst(), name.first?.isLetter == true || name.first == "_" else {
            throw Fault(description: "a field expected")
        }
        guard take("(") else { return }
        if Self.macros.contains(name) {
            guard let variable = tokens.popFirst(), variable.first?.isLetter == true else {
                throw Fault(description: "\(name) binds a variable")
            }
            try need(",")
            bound.append(variable)
            defer { bound.removeLast() }
            return try list(until: ")")
        }
        guard Self.methods.contains(name) else { throw Fault(description: "no function \(name)") }
        try list(until: ")")
    }

    private mutating func list(until end: String) throws {
        if take(end) { return }
        repeat { try ternary() } while take(",")
        try need(end)
    }
}
