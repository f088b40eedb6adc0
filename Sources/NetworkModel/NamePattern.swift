// SPDX-License-Identifier: Apache-2.0

/// What people look for among names: `*` stands for any characters, dots included.
///
/// Not what rules have: there a `*` stays in its label (`NameSelector`).
package struct NamePattern: Hashable, Sendable {
    /// What stands between the stars, in lower case.
    private let parts: [[UInt8]]

    /// Nil if a character is none of names and no star.
    package init?(_ text: String) {
        let body = text.hasSuffix(".") && text.utf8.count > 1 ? String(text.dropLast()) : text
        let isKnown = body.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
        guard !body.isEmpty, isKnown else { return nil }
        parts = NamePattern.parts(Array(body.lowercased().utf8))
    }

    /// True if the whole name is meant.
    package func matches(_ name: DomainName) -> Bool {
        NamePattern.matches(parts, Array(name.description.utf8)[...])
    }

    /// True if the whole text is meant; `*` stands for any bytes.
    static func matches(_ pattern: [UInt8], _ text: ArraySlice<UInt8>) -> Bool { matches(parts(pattern), text) }

    private static func parts(_ pattern: [UInt8]) -> [[UInt8]] {
        pattern.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
    }

    private static func matches(_ parts: [[UInt8]], _ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        guard let first = parts.first, rest.starts(with: first) else { return false }
        rest = rest.dropFirst(first.count)
        guard let last = parts.dropFirst().last else { return rest.isEmpty }
        for part in parts.dropFirst().dropLast() {
            guard let next = NamePattern.end(of: part, in: rest) else { return false }
            rest = rest[next...]
        }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }

    /// Behind the first place where it stands.
    private static func end(of part: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= part.count else { return nil }
        return (text.startIndex...text.endIndex - part.count).first { text[$0...].starts(with: part) }
            .map { $0 + part.count }
    }
}
