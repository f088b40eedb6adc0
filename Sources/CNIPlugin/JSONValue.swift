// SPDX-License-Identifier: Apache-2.0

/// A JSON value that loses nothing: members keep their order, numbers their digits.
///
/// What other plugins and runtimes wrote is handed on, not understood: a decoder of known fields would drop the rest.
package enum JSONValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// As it was written: `1e400` and `12345678901234567890` have no Swift type of their own.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    package static func integer(_ value: Int) -> JSONValue { .number("\(value)") }

    package static func strings(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }

    package var string: String? { if case .string(let value) = self { value } else { nil } }

    package var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }

    package var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }

    package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// Nil also for numbers that are no `Int`.
    package var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }
}

/// The members of a JSON object, in their order.
package struct JSONObject: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    package struct Member: Hashable, Sendable {
        package var key: String
        package var value: JSONValue

        package init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    package private(set) var members: [Member]

    package init(_ members: [Member] = []) { self.members = members }

    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = elements.map { Member($0.0, $0.1) }
    }

    package var keys: [String] { members.map(\.key) }

    /// The last member of that name, as other readers have it; set, it keeps its place.
    package subscript(key: String) -> JSONValue? {
        get { members.last { $0.key == key }?.value }
        set {
            guard let newValue else { return members.removeAll { $0.key == key } }
            guard let place = members.lastIndex(where: { $0.key == key }) else {
                return members.append(Member(key, newValue))
            }
            members[place].value = newValue
        }
    }

    /// Puts a member before all others.
    package mutating func prepend(_ key: String, _ value: JSONValue) {
        members.removeAll { $0.key == key }
        members.insert(Member(key, value), at: 0)
    }
}
