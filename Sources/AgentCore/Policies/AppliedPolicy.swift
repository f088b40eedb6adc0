// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading

/// A policy that was applied through the API, with what is needed to show it and to read it again.
struct AppliedPolicy: Codable, Hashable, Sendable {
    /// Name of the file or stream it came from.
    var file: String
    var kind: String
    var namespace: String
    var name: String
    var text: String
    /// The line of `file` that `text` begins on; nil: the first (older agents put empty lines in front instead).
    var line: Int?
    /// The column of that line; nil: the first.
    var column: Int?

    init(_ item: PolicyBundle.Item) {
        let reference = item.policy.reference
        file = item.policy.source.file
        kind = reference.kind
        namespace = reference.namespace
        name = reference.name
        text = item.text.text
        line = item.text.origin.line > 1 ? item.text.origin.line : nil
        column = item.text.origin.column > 1 ? item.text.origin.column : nil
    }

    /// Where in `file` the text begins.
    var origin: TextOrigin { TextOrigin(line: line ?? 1, column: column ?? 1) }

    var reference: PolicyReference { PolicyReference(kind: kind, namespace: namespace, name: name) }

    /// The text as people wrote it, an item of a list moved to the first column.
    var document: String {
        let lines = text.drop { $0 == "\n" }
        let indentation = lines.prefix { $0 == " " }.count
        guard indentation > 0 else { return String(lines) }
        let isBreak = { (character: Character) in character == "\n" || character == "\r\n" }
        let moved = lines.split(omittingEmptySubsequences: false, whereSeparator: isBreak).map { line -> Substring? in
            let own = line.drop { $0 == " " }
            if own.isEmpty { return "" }
            return line.count - own.count >= indentation ? line.dropFirst(indentation) : nil
        }
        // A text in quotes or brackets may go on further left.
        return moved.contains(nil) ? String(lines) : moved.compactMap(\.self).joined(separator: "\n")
    }

    /// What the reader says of it, at the places of the file it came from; nil if it cannot be read any more.
    func diagnostics(_ reader: PolicyReader) -> [Diagnostic]? {
        let result = reader.read(bytes: Array(text.utf8), file: file, origin: origin)
        return result.policies.contains { $0.reference == reference } ? result.diagnostics : nil
    }
}

/// Reads kept policies again, each text once.
///
/// Older agents kept the whole list with each of its items.
struct AppliedPolicyReading {
    private struct Text: Hashable {
        var file: String
        var text: String
        var origin: TextOrigin
    }

    private struct Content {
        var policies: [PolicyReference: Policy]
        var items: [PolicyReference: PolicyBundle.Item]
        var problem: String?
    }

    private let reader: PolicyReader
    /// What the texts of more than one policy hold.
    private var contents: [Text: Content] = [:]
    /// How many texts were read.
    private(set) var textsRead = 0

    init(_ reader: PolicyReader) { self.reader = reader }

    /// The policy, at the places of the file it came from, with what is to be kept of it: its own text alone.
    mutating func read(_ entry: AppliedPolicy) throws(AgentError) -> (entry: AppliedPolicy, policy: Policy) {
        let text = Text(file: entry.file, text: entry.text, origin: entry.origin)
        var known = contents[text]
        if known == nil { known = read(text) }
        guard let content = known, let policy = content.policies[entry.reference] else {
            throw AgentError(known?.problem ?? "holds no policy \(entry.reference.text)")
        }
        guard content.policies.count > 1 else { return (entry, policy) }
        contents[text] = content
        guard let item = content.items[entry.reference] else { return (entry, policy) }
        return (AppliedPolicy(item), item.policy)
    }

    private mutating func read(_ text: Text) -> Content {
        textsRead += 1
        let bytes = Array(text.text.utf8)
        let set = reader.read(bytes: bytes, file: text.file, origin: text.origin)
        var content = Content(
            policies: Dictionary(set.policies.map { ($0.reference, $0) }) { first, _ in first }, items: [:],
            problem: set.diagnostics.first?.description)
        guard content.policies.count > 1 else { return content }
        let bundle = PolicyBundle(bytes, file: text.file, reader: reader, origin: text.origin)
        content.items = Dictionary(bundle.items.map { ($0.policy.reference, $0) }) { first, _ in first }
        return content
    }
}
