// SPDX-License-Identifier: Apache-2.0

/// A document of JSON (and so of YAML) that tests make up, print, cut down and read with nothing of the product.
package indirect enum CaseNode: Sendable {
    case object([(key: String, value: CaseNode)])
    case list([CaseNode])
    case text(String)
    case number(Int)
    case flag(Bool)

    /// The document as JSON on one line; texts must need no escapes.
    package var json: String {
        switch self {
        case .object(let members):
            "{" + members.map { "\"\($0.key)\": \($0.value.json)" }.joined(separator: ", ") + "}"
        case .list(let elements): "[" + elements.map(\.json).joined(separator: ", ") + "]"
        case .text(let text): "\"\(text)\""
        case .number(let number): "\(number)"
        case .flag(let flag): "\(flag)"
        }
    }

    /// The document as YAML that a person can read and `bulkhead policy test` can run: collections that are short stand
    /// on one line.
    package var yaml: String { lines(indented: "").joined(separator: "\n") + "\n" }

    private func lines(indented indent: String) -> [String] {
        switch self {
        case .object(let members) where json.count > 60:
            return members.flatMap { key, value in
                value.isShort
                    ? ["\(indent)\(key): \(value.json)"] : ["\(indent)\(key):"] + value.lines(indented: indent + "  ")
            }
        case .list(let elements) where json.count > 60:
            return elements.flatMap { element in
                guard !element.isShort else { return ["\(indent)- \(element.json)"] }
                var lines = element.lines(indented: indent + "  ")
                lines[0] = "\(indent)- " + lines[0].dropFirst(indent.count + 2)
                return lines
            }
        default: return [indent + json]
        }
    }

    private var isShort: Bool { json.count <= 60 }

    /// Without its nth part, counted from the outside in: a member of an object or an element of a list, with all that
    /// is in it; nil if there are no more parts.
    package func removing(part number: Int) -> CaseNode? {
        var left = number
        let copy = removing(&left)
        return left < 0 ? copy : nil
    }

    private func removing(_ left: inout Int) -> CaseNode {
        switch self {
        case .object(var members):
            for index in members.indices {
                left -= 1
                guard left >= 0 else {
                    members.remove(at: index)
                    return .object(members)
                }
            }
            for index in members.indices where left >= 0 { members[index].value = members[index].value.removing(&left) }
            return .object(members)
        case .list(var elements):
            for index in elements.indices {
                left -= 1
                guard left >= 0 else {
                    elements.remove(at: index)
                    return .list(elements)
                }
            }
            for index in elements.indices where left >= 0 { elements[index] = elements[index].removing(&left) }
            return .list(elements)
        case .text, .number, .flag: return self
        }
    }

    /// Cuts away part after part, as long as what is left still fails; asks at most `attempts` times.
    package func shrunk(attempts: Int = 2000, while fails: (CaseNode) -> Bool) -> CaseNode {
        var best = self
        var left = attempts
        var hasShrunk = true
        while hasShrunk {
            hasShrunk = false
            var part = 0
            while let candidate = best.removing(part: part) {
                guard left > 0 else { return best }
                left -= 1
                if fails(candidate) {
                    best = candidate
                    hasShrunk = true
                } else {
                    part += 1
                }
            }
        }
        return best
    }
}

// MARK: - Reading

extension CaseNode {
    /// A member of an object; nil if there is none or this is no object.
    package subscript(_ key: String) -> CaseNode? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// The elements of a list; none if this is no list.
    package var elements: [CaseNode] {
        if case .list(let elements) = self { elements } else { [] }
    }

    /// The members of an object; none if this is no object.
    package var members: [(key: String, value: CaseNode)] {
        if case .object(let members) = self { members } else { [] }
    }

    /// The text, or the digits of a number.
    package var string: String? {
        switch self {
        case .text(let text): text
        case .number(let number): "\(number)"
        default: nil
        }
    }

    package var integer: Int? {
        if case .number(let number) = self { number } else { nil }
    }

    /// With another value for a member that is there.
    package func replacing(_ key: String, by value: (CaseNode) -> CaseNode) -> CaseNode {
        .object(members.map { $0.key == key ? (key: key, value: value($0.value)) : $0 })
    }

    /// An object with one member.
    static func one(_ key: String, _ value: CaseNode) -> CaseNode { .object([(key: key, value: value)]) }

    package var isTrue: Bool {
        if case .flag(let flag) = self { flag } else { false }
    }
}

extension CaseNode: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int) { self = .number(value) }
    package init(arrayLiteral elements: CaseNode...) { self = .list(elements) }
    package init(dictionaryLiteral elements: (String, CaseNode)...) {
        self = .object(elements.map { (key: $0, value: $1) })
    }
}
