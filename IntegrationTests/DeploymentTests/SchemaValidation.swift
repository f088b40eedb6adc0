// SPDX-License-Identifier: Apache-2.0

import PolicyReading

/// Whether a value fits a schema of a definition, as far as these use the language of schemas.
enum SchemaValidation {
    static func faults(of value: ConfigurationNode, by schema: ConfigurationNode, at path: String = "") -> [String] {
        var faults: [String] = []
        func bound(_ key: String, _ isBroken: (Int) -> Bool) {
            if case .integer(let limit)? = schema[key]?.content, isBroken(limit) { faults.append("\(path): \(key)") }
        }
        switch (schema["type"]?.text ?? "", value.content) {
        case ("object", .mapping(let entries)):
            for key in schema["required"]?.texts ?? [] where value[key] == nil { faults.append("\(path) lacks \(key)") }
            for entry in entries {
                // What is not in the schema the server throws away.
                guard let inner = schema["properties"]?[entry.key] ?? schema["additionalProperties"] else {
                    faults.append("\(path): no property \(entry.key)")
                    continue
                }
                faults += Self.faults(of: entry.value, by: inner, at: "\(path).\(entry.key)")
            }
        case ("array", .list(let items)):
            bound("maxItems") { items.count > $0 }
            bound("minItems") { items.count < $0 }
            guard let inner = schema["items"] else { return faults + ["\(path): no items"] }
            faults += items.flatMap { Self.faults(of: $0, by: inner, at: "\(path)[]") }
        case ("string", .string(let text)):
            bound("maxLength") { text.unicodeScalars.count > $0 }
            if let pattern = schema["pattern"]?.text, let expression = try? Regex(pattern),
                (try? expression.wholeMatch(in: text)) == nil
            {
                faults.append("\(path): pattern")
            }
            if let values = schema["enum"]?.texts, !values.contains(text) { faults.append("\(path): enum") }
        case ("integer", .integer(let number)):
            bound("minimum") { number < $0 }
            bound("maximum") { number > $0 }
        case ("boolean", .boolean): break
        case (let type, _): faults.append("\(path) is no \(type)")
        }
        return faults
    }
}
