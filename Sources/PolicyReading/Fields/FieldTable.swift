// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// The fields a mapping may have, and those it may have elsewhere but not here.
struct FieldTable: CustomStringConvertible {
    /// A field that exists in the dialect but is refused.
    struct Refusal {
        let code: DiagnosticCode
        let message: String
        let remedy: String

        init(_ code: DiagnosticCode, _ message: String, remedy: String) {
            self.code = code
            self.message = message
            self.remedy = remedy
        }
    }

    let known: [String]
    let refused: [String: Refusal]
    /// What is supported of fields that are read but not in all they may say; for the reference.
    let notes: [String: String]

    init(_ known: [String], refused: [String: Refusal] = [:], notes: [String: String] = [:]) {
        self.known = known
        self.refused = refused
        self.notes = notes
    }

    var description: String { known.prefix(4).joined(separator: ", ") + (known.count > 4 ? ", ..." : "") }

    /// Reports every field that is not in the table.
    func check(_ mapping: Mapping) {
        for pair in mapping.pairs where !known.contains(pair.key) && !mapping.field.context.isFull {
            let key = Entry(pair: pair, parent: mapping.field).keyField
            if let refusal = refused[pair.key] {
                key.error(refusal.code, refusal.message, remedy: refusal.remedy)
                continue
            }
            let guess = closestWord(to: pair.key, among: known + refused.keys)
            key.error(
                .unknownField, "unknown field \(key.quoted)",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "known here: \(known.joined(separator: ", "))")
        }
    }
}

/// The word that somebody who wrote `text` most likely meant; nil if none is close.
func closestWord(to text: String, among words: some Sequence<String>) -> String? {
    guard text.utf8.count <= 64 else { return nil }
    let limit = max(1, text.count / 3)
    let lowercased = Array(text.lowercased().utf8)
    let ranked = words.map { (word: $0, distance: editDistance(lowercased, Array($0.lowercased().utf8))) }
    let best = ranked.min { ($0.distance, $0.word) < ($1.distance, $1.word) }
    return best.flatMap { $0.distance <= limit ? $0.word : nil }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
        var current = [i + 1]
        for j in 0..<b.count {
            var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforePrevious[j - 1] + 1) }
            current.append(cost)
        }
        beforePrevious = previous
        previous = current
    }
    return previous[b.count]
}
