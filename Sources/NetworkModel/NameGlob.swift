// SPDX-License-Identifier: Apache-2.0

/// Labels in front of a name, with a `*` elsewhere than as the first label by itself: `api-*`, `*.sub-*`, `a.**`.
///
/// `*` in a label is any number of letters, digits, `-` and `_`, none too; a label that is `**` is one or more labels.
package struct NameGlob: Hashable, Sendable {
    /// From the left, in lower case; never empty, and the last one has a `*`.
    package let labels: [String]

    /// States of an automaton that a pattern may take: bits of a word.
    package static let stateCountMax = 64
    /// Patterns that may stand in front of one name.
    package static let countMax = 64

    /// Nil if a label is none, or if it takes too many states.
    init?(_ labels: [some StringProtocol]) {
        let given = labels.map { String($0) }
        // Before letters are folded: the small one of some others is one of names.
        guard let last = given.last, last.contains("*"), given.allSatisfy(NameGlob.isLabel) else { return nil }
        self.labels = given.map { $0 == "**" ? "**" : NameGlob.starsJoined($0.lowercased()) }
        guard stateCount <= NameGlob.stateCountMax else { return nil }
    }

    /// A label in which several stars in a row are one.
    package static func starsJoined(_ label: some StringProtocol) -> String {
        label.reduce(into: "") { if $1 != "*" || $0.last != "*" { $0.append($1) } }
    }

    private static func isLabel(_ text: String) -> Bool {
        let fixed = text.utf8.filter { $0 != UInt8(ascii: "*") }
        return !text.isEmpty && fixed.count <= 63 && fixed.allSatisfy(DomainName.isPlain)
    }

    /// What stands before each of the symbols (characters, and ends of labels between labels) and behind the last.
    package var stateCount: Int { labels.reduce(0) { $0 + $1.utf8.count { $0 != UInt8(ascii: "*") } + 1 } }

    /// The fewest bytes that the labels of a matching name take, in wire format.
    var byteCountMin: Int { labels.reduce(0) { $0 + max($1.utf8.count { $0 != UInt8(ascii: "*") }, 1) + 1 } }

    /// True if these labels, from the left, are meant.
    func matches(_ own: some Sequence<ArraySlice<UInt8>>) -> Bool {
        // How many of the pattern's labels may be used up.
        var states = [true] + labels.map { _ in false }
        for label in own {
            guard label.allSatisfy(DomainName.isPlain) else { return false }
            states =
                [false]
                + labels.indices.map { index in
                    guard labels[index] == "**" else {
                        return states[index] && NamePattern.matches(Array(labels[index].utf8), label)
                    }
                    return states[index] || states[index + 1]
                }
        }
        return states[labels.count]
    }
}

extension NameGlob: CustomStringConvertible {
    package var description: String { labels.joined(separator: ".") }
}
