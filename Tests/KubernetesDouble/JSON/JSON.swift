// SPDX-License-Identifier: Apache-2.0

/// A JSON document as it came: members keep their order, numbers their digits.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number in its own spelling, so that what is stored is what was sent.
    case number(String)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    /// The text, if this is one.
    package var text: String? { if case .string(let text) = self { text } else { nil } }

    /// The whole number, if this is one.
    package var integer: Int? { if case .number(let digits) = self { Int(digits) } else { nil } }

    /// The truth value, if this is one.
    package var flag: Bool? { if case .bool(let flag) = self { flag } else { nil } }

    /// The elements, if this is a list.
    package var elements: [JSON]? { if case .array(let elements) = self { elements } else { nil } }

    /// The members, if this is an object.
    package var members: JSONObject? { if case .object(let object) = self { object } else { nil } }

    /// The member of an object at a path of keys; nil where anything on the way is missing or no object.
    ///
    /// Setting makes what is missing on the way; setting nil removes.
    package subscript(path: String...) -> JSON? {
        get { value(at: path[...]) }
        set { set(newValue, at: path[...]) }
    }

    private func value(at path: ArraySlice<String>) -> JSON? {
        guard let first = path.first else { return self }
        return members?[first]?.value(at: path.dropFirst())
    }

    private mutating func set(_ value: JSON?, at path: ArraySlice<String>) {
        guard let first = path.first else { return }
        var object = members ?? JSONObject()
        if path.count == 1 {
            object[first] = value
        } else if value != nil || object[first] != nil {
            var child = object[first] ?? .object(JSONObject())
            child.set(value, at: path.dropFirst())
            object[first] = child
        }
        self = .object(object)
    }
}

/// The members of a JSON object, in the order in which they came.
///
/// Equality does not look at the order.
package struct JSONObject: Sendable, Equatable {
    package typealias Member = (key: String, value: JSON)

    /// All members in order.
    package private(set) var members: [Member]

    package init(_ members: [Member] = []) { self.members = members }

    /// Whether there is no member.
    package var isEmpty: Bool { members.isEmpty }

    /// The value of a key; setting nil removes the member, a new one goes to the end.
    package subscript(key: String) -> JSON? {
        get { members.first { $0.key == key }?.value }
        set {
            let index = members.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append((key, value))
            case (nil, nil): break
            }
        }
    }

    /// A member that comes from the input: not looked for among those that are there.
    mutating func append(_ key: String, _ value: JSON) { members.append((key, value)) }

    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.members.count == right.members.count && left.members.allSatisfy { right[$0.key] == $0.value }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral text: String) { self = .string(text) }
    package init(integerLiteral number: Int) { self = .number(String(number)) }
    package init(booleanLiteral flag: Bool) { self = .bool(flag) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral members: (String, JSON)...) {
        self = .object(JSONObject(members.map { ($0.0, $0.1) }))
    }

    /// An object of texts, as labels are.
    package init(_ texts: [String: String]) {
        self = .object(JSONObject(texts.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }
}
