// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading

/// Typed access to the values of a configuration file; everything unexpected is an error with its place.
struct ConfigurationReader {
    let node: ConfigurationNode

    /// The entries of a mapping, each handed to the handler of its key; unknown keys are refused with a suggestion.
    func mapping(_ handlers: [String: (ConfigurationReader) throws -> Void]) throws {
        guard case .mapping(let entries) = node.content else { throw wrong("a mapping") }
        for entry in entries {
            guard let handler = handlers[entry.key] else {
                let known = handlers.keys.sorted().joined(separator: ", ")
                throw ConfigurationError(entry.location, "unknown key \"\(entry.key)\"; known here: \(known)")
            }
            try handler(ConfigurationReader(node: entry.value))
        }
    }

    /// The entries of a mapping with any keys.
    func entries() throws -> [(key: String, value: ConfigurationReader)] {
        guard case .mapping(let entries) = node.content else { throw wrong("a mapping") }
        return entries.map { ($0.key, ConfigurationReader(node: $0.value)) }
    }

    func list() throws -> [ConfigurationReader] {
        guard case .list(let items) = node.content else { throw wrong("a list") }
        return items.map { ConfigurationReader(node: $0) }
    }

    func string() throws -> String {
        switch node.content {
        case .string(let text): return text
        case .integer(let number): return String(number)
        case .null: return ""
        default: throw wrong("a text")
        }
    }

    func boolean() throws -> Bool {
        guard case .boolean(let value) = node.content else { throw wrong("true or false") }
        return value
    }

    func integer(_ range: ClosedRange<Int>) throws -> Int {
        guard case .integer(let value) = node.content, range.contains(value) else {
            throw wrong("a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A power of two in a range.
    func powerOfTwo(_ range: ClosedRange<Int>) throws -> Int {
        let value = try integer(range)
        guard value & (value - 1) == 0 else { throw wrong("a power of two") }
        return value
    }

    /// Seconds, or a text such as `500ms`, `10s`, `5m`, `2h`; a year at most, what is longer overflows some clock.
    func duration(atLeast shortest: Duration = .zero) throws -> Duration {
        let value = try unboundedDuration()
        guard value >= shortest else { throw wrong("a duration of at least \(shortest)") }
        guard value <= .seconds(366 * 86400) else { throw wrong("a duration of at most 8784h") }
        return value
    }

    private func unboundedDuration() throws -> Duration {
        if case .integer(let seconds) = node.content, seconds >= 0 { return .seconds(seconds) }
        let text = try string()
        let digits = text.prefix { $0.isNumber }
        // Ten digits of hours do not overflow 64 bits of seconds.
        guard digits.count <= 10, let number = Int64(digits) else {
            throw wrong("a duration such as 500ms, 10s, 5m or 2h")
        }
        switch text.dropFirst(digits.count) {
        case "ms": return .milliseconds(number)
        case "s": return .seconds(number)
        case "m": return .seconds(number * 60)
        case "h": return .seconds(number * 3600)
        default: throw wrong("a duration such as 500ms, 10s, 5m or 2h")
        }
    }

    /// One word of a list.
    func choice<Value: RawRepresentable & CaseIterable>(_ type: Value.Type) throws -> Value
    where Value.RawValue == String {
        let text = try string()
        guard let value = Value(rawValue: text) else {
            throw wrong("one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    /// An error at this value.
    func error(_ message: String) -> ConfigurationError { ConfigurationError(node.location, message) }

    private func wrong(_ expected: String) -> ConfigurationError {
        let found: String
        switch node.content {
        case .null: found = "nothing"
        case .boolean(let value): found = "\(value)"
        case .integer(let value): found = "\(value)"
        case .string(let text): found = "\"\(text)\""
        case .list: found = "a list"
        case .mapping: found = "a mapping"
        }
        return error("\(found) where \(expected) belongs")
    }
}
