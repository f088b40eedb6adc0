// SPDX-License-Identifier: Apache-2.0

/// What a scalar is in the core schema of YAML 1.2 (§10.3): `yes` and `on` are strings, `0o17` is a number.
enum YAMLResolvedScalar: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// Nil if the number does not fit.
    case integer(Int?)
    case float
    case string(String)

    var typeName: String {
        switch self {
        case .null: "no value"
        case .boolean: "a boolean"
        case .integer: "a number"
        case .float: "a decimal number"
        case .string: "a string"
        }
    }
}

extension YAMLScalar {
    /// The value by the core schema.
    var resolved: YAMLResolvedScalar {
        guard isPlain else { return .string(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .boolean(true)
        case "false", "False", "FALSE": return .boolean(false)
        case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "-.inf": return .float
        default: break
        }
        guard let first = text.utf8.first, first < 58 else { return .string(text) }
        if text.hasPrefix("0o"), let digits = digits(after: 2, where: { (48...55).contains($0) }) {
            return .integer(Int(digits, radix: 8))
        }
        if text.hasPrefix("0x"), let digits = digits(after: 2, where: YAMLScalar.isHexDigit) {
            return .integer(Int(digits, radix: 16))
        }
        let isSigned = first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
        if digits(after: isSigned ? 1 : 0, where: YAMLScalar.isDigit) != nil { return .integer(Int(text)) }
        return isFloat ? .float : .string(text)
    }

    /// `0120` is 80 in YAML 1.1, which Kubernetes speaks, and 120 in YAML 1.2; `0o120` is no number there.
    var isAmbiguousNumber: Bool {
        let digits = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        guard digits.count > 1, digits.first == UInt8(ascii: "0") else { return false }
        return digits.dropFirst().first != UInt8(ascii: "x")
    }

    /// The rest of the text if it is not empty and every byte of it fits.
    private func digits(after count: Int, where fits: (UInt8) -> Bool) -> Substring? {
        let rest = text.utf8.dropFirst(count)
        return !rest.isEmpty && rest.allSatisfy(fits) ? Substring(rest) : nil
    }

    /// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?` is what it takes.
    private var isFloat: Bool {
        var bytes = Array(text.utf8)[...]
        if bytes.first == 43 || bytes.first == 45 { bytes.removeFirst() }
        let whole = bytes.prefix(while: YAMLScalar.isDigit).count
        bytes = bytes.dropFirst(whole)
        var fraction = 0
        if bytes.first == UInt8(ascii: ".") {
            bytes.removeFirst()
            fraction = bytes.prefix(while: YAMLScalar.isDigit).count
            bytes = bytes.dropFirst(fraction)
        }
        guard whole + fraction > 0 else { return false }
        guard let exponent = bytes.first else { return true }
        guard exponent == UInt8(ascii: "e") || exponent == UInt8(ascii: "E") else { return false }
        bytes.removeFirst()
        if bytes.first == 43 || bytes.first == 45 { bytes.removeFirst() }
        return !bytes.isEmpty && bytes.allSatisfy(YAMLScalar.isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }
}
