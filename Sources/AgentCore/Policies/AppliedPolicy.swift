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

    init(_ item: PolicyBundle.Item) {
        let reference = item.policy.reference
        file = item.policy.source.file
        kind = reference.kind
        namespace = reference.namespace
        name = reference.name
        text = item.text
        line = item.firstLine > 1 ? item.firstLine : nil
    }

    var reference: PolicyReference { PolicyReference(kind: kind, namespace: namespace, name: name) }

    /// The text as people wrote it.
    var document: String { String(text.drop { $0 == "\n" }) }

    /// Reads it again; its line numbers are those of the file it came from.
    func policy(_ reader: PolicyReader) throws(AgentError) -> Policy {
        let result = read(reader)
        guard let policy = result.policies.first(where: { $0.reference == reference }) else {
            throw AgentError(result.diagnostics.first?.description ?? "holds no policy \(reference.text)")
        }
        return policy
    }

    /// What the reader says of it, at the lines of the file it came from; nothing if it cannot be read any more.
    func diagnostics(_ reader: PolicyReader) -> [Diagnostic] {
        let result = read(reader)
        guard let source = result.policies.first(where: { $0.reference == reference })?.source else { return [] }
        // The text of one in a list is the whole list: the others have texts of their own.
        let end = result.policies.map(\.source.line).filter { $0 > source.line }.min() ?? .max
        return result.diagnostics.filter { (source.line..<end).contains($0.location.line) }
    }

    private func read(_ reader: PolicyReader) -> PolicyDocumentSet {
        reader.read(String(repeating: "\n", count: max(0, (line ?? 1) - 1)) + text, file: file)
    }
}
