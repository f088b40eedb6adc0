// SPDX-License-Identifier: Apache-2.0

/// A value that is its text in files and in JSON.
package protocol TextCoded: Codable, LosslessStringConvertible {
    /// What such a text is, with its article: for errors.
    static var textKind: String { get }
}

extension TextCoded {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not \(Self.textKind)")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension IPAddress: TextCoded {
    package static var textKind: String { "an address" }
}

extension CIDR: TextCoded {
    package static var textKind: String { "a prefix" }
}
