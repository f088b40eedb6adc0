// SPDX-License-Identifier: Apache-2.0

/// A label selector in the syntax of URLs: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
struct LabelSelector: Sendable {
    private enum Requirement: Sendable {
        case isIn(key: String, values: Set<String>)
        case isNotIn(key: String, values: Set<String>)
        case exists(key: String)
        case isAbsent(key: String)
    }

    private var requirements: [Requirement] = []
    var isEmpty: Bool { requirements.isEmpty }

    /// - Throws: 400 for what does not parse.
    init(_ text: String) throws(APIError) {
        for part in Self.parts(of: text) where !part.isEmpty {
            guard let requirement = Self.requirement(part) else {
                throw .badRequest("unable to parse requirement: found '\(part)'")
            }
            requirements.append(requirement)
        }
    }

    func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { requirement in
            switch requirement {
            case .isIn(let key, let values): labels[key].map(values.contains) ?? false
            case .isNotIn(let key, let values): labels[key].map { !values.contains($0) } ?? true
            case .exists(let key): labels[key] != nil
            case .isAbsent(let key): labels[key] == nil
            }
        }
    }

    /// Splits at the commas outside of parentheses.
    private static func parts(of text: String) -> [String] {
        var parts = [""]
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
        }
        return parts.map(\.trimmed)
    }

    private static func requirement(_ part: String) -> Requirement? {
        if part.hasSuffix(")"), let open = part.firstIndex(of: "(") {
            let words = part[..<open].split(separator: " ")
            let values = part[part.index(after: open)...].dropLast()
                .split(separator: ",", omittingEmptySubsequences: false).map { String($0).trimmed }
            guard words.count == 2 else { return nil }
            switch words[1] {
            case "in": return .isIn(key: String(words[0]), values: Set(values))
            case "notin": return .isNotIn(key: String(words[0]), values: Set(values))
            default: return nil
            }
        }
        if let (key, value) = part.divided(by: "!=") { return .isNotIn(key: key, values: [value]) }
        if let (key, value) = part.divided(by: "==") { return .isIn(key: key, values: [value]) }
        if let (key, value) = part.divided(by: "=") { return .isIn(key: key, values: [value]) }
        guard !part.contains(" ") else { return nil }
        return part.hasPrefix("!") ? .isAbsent(key: String(part.dropFirst()).trimmed) : .exists(key: part)
    }
}

/// A field selector: those fields that the real server supports for every kind, and two of pods.
struct FieldSelector: Sendable {
    private var terms: [(field: String, value: String, isEqual: Bool)] = []
    var isEmpty: Bool { terms.isEmpty }

    /// - Throws: 400 for a field that cannot be selected by.
    init(_ text: String, of resource: ResourceName) throws(APIError) {
        let ofPods = resource == ResourceName(plural: "pods")
        for part in text.split(separator: ",").map({ String($0).trimmed }) {
            let isEqual = !part.contains("!=")
            guard let (field, value) = part.divided(by: isEqual ? (part.contains("==") ? "==" : "=") : "!=") else {
                throw .badRequest("invalid selector: '\(part)'; can't understand '\(part)'")
            }
            let isKnown = ["metadata.name", "metadata.namespace"].contains(field)
            guard isKnown || ofPods && ["spec.nodeName", "status.phase"].contains(field) else {
                throw .badRequest(
                    "Unable to find \"\(resource)\" that match label selector \"\", field selector \"\(text)\": "
                        + "field label not supported: \(field)")
            }
            terms.append((field, value, isEqual))
        }
    }

    func matches(_ object: StoredObject) -> Bool {
        terms.allSatisfy { term in
            let value =
                switch term.field {
                case "metadata.name": object.name
                case "metadata.namespace": object.namespace
                case "spec.nodeName": object.nodeName ?? ""
                default: object.phase ?? ""
                }
            return (value == term.value) == term.isEqual
        }
    }
}

/// Which objects of a resource a list or watch asks for.
struct ObjectFilter: Sendable {
    var namespace: String?
    var labels: LabelSelector
    var fields: FieldSelector

    var hasSelector: Bool { !labels.isEmpty || !fields.isEmpty }

    func matches(_ object: StoredObject) -> Bool {
        (namespace == nil || object.namespace == namespace) && fields.matches(object) && labels.matches(object.labels)
    }

    /// The change as a watch with this filter sees it: an object that begins or ceases to match is added or deleted.
    func seen(_ change: Change) -> (kind: Change.Kind, object: StoredObject)? {
        let matchesNow = change.kind != .deleted && matches(change.object)
        let matchedBefore = change.previous.map(matches) ?? false
        switch (matchedBefore, matchesNow) {
        case (false, true): return (.added, change.object)
        case (true, true): return (.modified, change.object)
        case (true, false): return (.deleted, change.object)
        case (false, false): return nil
        }
    }
}

extension String {
    var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    /// The trimmed texts before and after the first occurrence of a separator.
    fileprivate func divided(by separator: String) -> (String, String)? {
        guard let range = firstRange(of: separator) else { return nil }
        return (String(self[..<range.lowerBound]).trimmed, String(self[range.upperBound...]).trimmed)
    }
}
