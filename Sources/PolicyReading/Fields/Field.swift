// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// A value of a document with its place and the means to complain about it.
struct Field {
    let node: YAMLNode
    let path: FieldPath?
    let context: ReadingContext

    var location: SourceLocation { context.location(node.start) }

    /// Reports an error about this value.
    func error(_ code: DiagnosticCode, _ message: String, remedy: String? = nil) {
        report(.error, code, message, remedy: remedy)
    }

    /// Reports something about this value.
    func report(_ severity: Diagnostic.Severity, _ code: DiagnosticCode, _ message: String, remedy: String? = nil) {
        var end: YAMLMark? = node.end
        if case .scalar = node.content {} else { end = nil }
        context.report(
            severity, code, from: node.start, to: end, path: path?.text ?? "", message, remedy: remedy)
    }

    /// Reports an error about a part of this text: characters from 0, if they can be told apart in the document.
    func error(_ code: DiagnosticCode, at offset: Int, length: Int, _ message: String, remedy: String?) {
        guard case .scalar(let scalar) = node.content, node.start.line == node.end.line else {
            return error(code, message + " (character \(offset + 1))", remedy: remedy)
        }
        let textLength = scalar.text.unicodeScalars.count
        let quotes = (node.end.column - node.start.column - textLength) / 2
        // Escapes in quotes: the text is not what is written.
        guard node.end.column - node.start.column == textLength + 2 * quotes, quotes <= 1 else {
            return error(code, message + " (character \(offset + 1))", remedy: remedy)
        }
        var start = node.start
        start.column += quotes + offset
        var end = start
        end.column += length
        context.report(.error, code, from: start, to: end, path: path?.text ?? "", message, remedy: remedy)
    }

    /// A number, whole or not; not a number that is none, nor an infinite one.
    func decimal() -> Double? {
        guard case .scalar(let scalar) = node.content else {
            wrongType(expected: "a number")
            return nil
        }
        switch scalar.resolved {
        case .integer: return integer().map(Double.init)
        case .float:
            if let number = Double(scalar.text), number.isFinite { return number }
            error(.wrongType, "the number \(quoted) is none to compare with", remedy: "write a finite number")
            return nil
        default:
            wrongType(expected: "a number")
            return nil
        }
    }

    /// What the document says here, for messages; long texts are cut.
    var quoted: String {
        guard case .scalar(let scalar) = node.content else { return node.typeName }
        return "`" + (scalar.text.count > 60 ? scalar.text.prefix(57) + "..." : scalar.text[...]) + "`"
    }

    private func wrongType(expected: String, remedy: String? = nil) {
        let isScalar = if case .scalar = node.content { !node.isNull } else { false }
        error(
            .wrongType, "expected \(expected), found \(node.typeName)" + (isScalar ? " \(quoted)" : ""), remedy: remedy)
    }

    /// A string; a number, boolean or null without quotes is an error, as for the Kubernetes API.
    func string() -> String? {
        guard case .scalar(let scalar) = node.content else {
            wrongType(expected: "a string")
            return nil
        }
        if case .string(let text) = scalar.resolved { return text }
        wrongType(expected: "a string", remedy: "quote it: \"\(scalar.text)\"")
        return nil
    }

    /// A whole number.
    func integer() -> Int? {
        guard case .scalar(let scalar) = node.content, case .integer(let value) = scalar.resolved else {
            let isQuotedNumber = if case .scalar(let scalar) = node.content { Int(scalar.text) != nil } else { false }
            wrongType(expected: "a number", remedy: isQuotedNumber ? "write it without quotes" : nil)
            return nil
        }
        guard let value else {
            error(.wrongType, "the number \(quoted) is too large")
            return nil
        }
        guard !scalar.isAmbiguousNumber else {
            error(
                .ambiguousNumber,
                "the number \(quoted) begins with a zero, so that Kubernetes reads it in base 8 and YAML 1.2 may not",
                remedy: "write it in decimal without the zero")
            return nil
        }
        return value
    }

    func boolean() -> Bool? {
        guard case .scalar(let scalar) = node.content, case .boolean(let value) = scalar.resolved else {
            wrongType(expected: "true or false")
            return nil
        }
        return value
    }

    /// A number or a string, whichever it is.
    func integerOrString() -> (integer: Int?, string: String?)? {
        guard case .scalar(let scalar) = node.content else {
            wrongType(expected: "a number or a string")
            return nil
        }
        switch scalar.resolved {
        case .integer: return integer().map { ($0, nil) }
        case .string(let text): return (nil, text)
        default:
            wrongType(expected: "a number or a string")
            return nil
        }
    }

    /// The elements of a list.
    func elements() -> [Field]? {
        guard case .sequence(let nodes) = node.content else {
            wrongType(expected: "a list", remedy: "write `- ` before each element")
            return nil
        }
        return nodes.enumerated().map { index, node in
            Field(node: node, path: FieldPath(.index(index), in: path), context: context)
        }
    }

    /// A mapping with any of the fields of the table; unknown fields are reported here.
    func mapping(_ table: FieldTable) -> Mapping? {
        guard case .mapping(let pairs) = node.content else {
            wrongType(expected: "a mapping (\(table.description))")
            return nil
        }
        let mapping = Mapping(pairs: pairs, field: self)
        context.visitedTables?.append((path?.text ?? "", table))
        table.check(mapping)
        return mapping
    }

    /// A mapping with free keys, in the order of the document.
    func entries() -> [Entry]? {
        guard case .mapping(let pairs) = node.content else {
            wrongType(expected: "a mapping")
            return nil
        }
        return pairs.map { Entry(pair: $0, parent: self) }
    }
}

/// One entry of a mapping.
struct Entry {
    let pair: YAMLPair
    let parent: Field

    var key: String { pair.key }

    var value: Field { Field(node: pair.value, path: FieldPath(.name(key), in: parent.path), context: parent.context) }

    /// The key as a place to complain about.
    var keyField: Field {
        let node = YAMLNode(
            content: .scalar(YAMLScalar(text: key, isPlain: false)), start: pair.keyStart, end: pair.keyEnd, weight: 1)
        return Field(node: node, path: FieldPath(.name(key), in: parent.path), context: parent.context)
    }
}

/// A mapping whose fields are known by name.
struct Mapping {
    let pairs: [YAMLPair]
    /// The mapping itself, for complaints about what is missing.
    let field: Field

    /// The field if it is written with a value.
    ///
    /// A field without a value is an error: for one reader it means "absent"
    /// (all peers), for the author perhaps "nothing".
    subscript(name: String) -> Field? {
        guard let field = nullable(name) else { return nil }
        guard field.node.isNull else { return field }
        let key = keyField(name)
        key?.error(
            .noValue, "field `\(name)` has no value",
            remedy: "write a value (`[]` or `{}` if it is to be empty), or delete the field")
        return nil
    }

    /// The field if it is written, with or without a value.
    func nullable(_ name: String) -> Field? {
        pairs.first { $0.key == name }.map { Entry(pair: $0, parent: field).value }
    }

    /// True if the field is written, whatever its value.
    func has(_ name: String) -> Bool { pairs.contains { $0.key == name } }

    /// The key itself as a place to complain about.
    func keyField(_ name: String) -> Field? {
        pairs.first { $0.key == name }.map { Entry(pair: $0, parent: field).keyField }
    }

    /// The field, or an error that it is missing.
    func required(_ name: String, remedy: String? = nil) -> Field? {
        if !has(name) { field.error(.missingField, "field `\(name)` is missing", remedy: remedy) }
        return self[name]
    }
}
