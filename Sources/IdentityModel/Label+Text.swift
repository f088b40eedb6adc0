// SPDX-License-Identifier: Apache-2.0

/// Why a text is not a label or a label filter rule, for use inside a sentence.
package struct LabelSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The cause alone, lower-case.
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}

extension Label: CustomStringConvertible, Comparable {
    /// `source:key=value`; `source:key` if the value is empty.
    package var description: String { value.isEmpty ? "\(source):\(key)" : "\(source):\(key)=\(value)" }

    /// By source, then key, then value.
    package static func < (a: Label, b: Label) -> Bool {
        (a.source, a.key, a.value) < (b.source, b.key, b.value)
    }

    /// Reads `source:key=value`, `source:key`, `key=value` or `key`; without a source it is `defaultSource`.
    ///
    /// Only a colon before the first `=` ends a source, so a value may hold colons.
    package static func parse(
        _ text: String, defaultSource: String = LabelSource.any
    ) throws(LabelSyntaxError) -> Label {
        let equals = text.firstIndex(of: "=") ?? text.endIndex
        let name = text[..<equals]
        let value = equals == text.endIndex ? "" : String(text[text.index(after: equals)...])
        let (source, key) = LabelSource.split(String(name))
        guard source.map(LabelSource.isValid) ?? true else {
            throw LabelSyntaxError("a label source is lower-case letters, digits and hyphens")
        }
        guard !key.isEmpty else { throw LabelSyntaxError("the key is empty (`source:key=value`)") }
        return Label(source: source ?? defaultSource, key: key, value: value)
    }

    /// The label in text, or nil; `parse` says why.
    package init?(_ text: String) {
        guard let label = try? Label.parse(text) else { return nil }
        self = label
    }
}

extension LabelSource {
    /// A prefix that a policy uses: `cidr:10.0.0.0/8`.
    package static let cidr = "cidr"

    /// Splits `source:key`; the source is nil if there is no colon.
    package static func split(_ name: String) -> (source: String?, key: String) {
        guard let colon = name.firstIndex(of: ":") else { return (nil, name) }
        return (String(name[..<colon]), String(name[name.index(after: colon)...]))
    }

    /// True for a word of lower-case letters, digits and hyphens.
    package static func isValid(_ source: String) -> Bool {
        !source.isEmpty
            && source.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
    }
}
