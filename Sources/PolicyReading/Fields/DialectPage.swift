// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

/// A mapping of a dialect with the fields that its reader knows: found by reading a document, not written down twice.
package struct DocumentedMapping: Hashable, Sendable {
    /// `spec.ingress[].from[]`; empty: the document itself.
    package let path: String
    /// Fields that are read.
    package let known: [String]
    /// What is supported of fields that are read but not in all they may say, by name.
    package let notes: [String: String]
    /// Fields of the dialect that are refused: name, code and reason, by name.
    package let refused: [Refusal]

    package struct Refusal: Hashable, Sendable {
        package let name: String
        package let code: DiagnosticCode
        package let reason: String
    }
}

/// A page of the reference about one family of dialects: documents whose mappings are all there are.
///
/// To add a dialect add an element: one document for each kind that names every mapping once.
package struct DialectPage: Sendable {
    /// The file's name without its ending.
    package let name: String
    package let title: String
    /// The page beside the folder of dialects that says what fields mean.
    package var meaning: (title: String, file: String) = ("Policies", "policies.md")
    /// YAML documents, without errors.
    package let documents: [String]

    /// The mappings of one document, in the order in which the reader meets them; several with one path are one.
    package static func mappings(of document: String) -> (mappings: [DocumentedMapping], errors: [Diagnostic]) {
        let bytes = Array(document.utf8)
        let context = ReadingContext(file: "reference.yaml", bytes: bytes, options: PolicyReader.Options())
        context.visitedTables = []
        context.forEachDocument(of: bytes) { node in
            _ = DocumentReading(context: context).policies(in: node)
            return {}
        }
        var order: [String] = []
        var known: [String: [String]] = [:]
        var refused: [String: [DocumentedMapping.Refusal]] = [:]
        var notes: [String: [String: String]] = [:]
        for (path, table) in context.visitedTables ?? [] {
            let general = generalized(path)
            if known[general] == nil { order.append(general) }
            known[general] = (known[general] ?? []) + table.known.filter { !(known[general] ?? []).contains($0) }
            notes[general, default: [:]].merge(table.notes) { first, _ in first }
            let refusals = table.refused.sorted { $0.key < $1.key }.filter { $0.value.code != .unknownField }.map {
                DocumentedMapping.Refusal(name: $0.key, code: $0.value.code, reason: $0.value.message)
            }
            refused[general] = (refused[general] ?? []) + refusals.filter { !(refused[general] ?? []).contains($0) }
        }
        let mappings = order.map {
            DocumentedMapping(
                path: $0, known: known[$0] ?? [], notes: notes[$0] ?? [:], refused: refused[$0] ?? [])
        }
        return (mappings, context.diagnostics.filter { $0.severity == .error })
    }

    /// `spec.ingress[3]` as `spec.ingress[]`.
    private static func generalized(_ path: String) -> String {
        var result = ""
        var isInside = false
        for character in path {
            if character == "]" { isInside = false }
            if !isInside { result.append(character) }
            if character == "[" { isInside = true }
        }
        return result
    }
}
