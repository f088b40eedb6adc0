// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// Reads a PolicyLogging: which verdicts on which workloads are written to the policy log.
///
/// The bounds are those of its definition (`Deploy/kubernetes/crds/policyloggings.yaml`): on a host without Kubernetes nobody
/// else holds documents to them.
struct PolicyLoggingReading {
    let header: PolicyHeader

    private static let fields = FieldTable(["verdicts", "policies", "namespaces", "podLabels", "linesPerSecond"])
    private static let namespacesMax = 256
    private static let labelsMax = 32

    func read(_ document: Mapping) -> PolicyContent {
        var content = PolicyContent()
        guard let spec = document.required("spec")?.mapping(PolicyLoggingReading.fields) else { return content }
        var selection = LogSelection(dispositions: [])
        if let verdicts = spec.required("verdicts", remedy: "write allow, deny or audit, or several of them") {
            selection.dispositions = dispositions(verdicts)
        }
        if let field = spec["policies"] {
            selection.isOfAnnotatedOnly = word(field, of: ["all", "annotated"]) == "annotated"
        }
        if let field = spec["namespaces"] { selection.namespaces = namespaces(field) }
        if let field = spec["podLabels"] { selection.workloads = labels(field) }
        if let field = spec["linesPerSecond"], let number = field.integer() {
            let range = LogSelection.linesPerSecondRange
            if !range.contains(number) {
                field.error(
                    .unknownValue, "\(number) lines a second cannot be kept to",
                    remedy: "write a number from \(range.lowerBound) to \(range.upperBound)")
            }
            selection.linesPerSecond = number
        }
        content.logSelection = selection
        return content
    }

    private func dispositions(_ field: Field) -> Set<LogSelection.Disposition> {
        let words = (field.elements() ?? []).compactMap { element in
            word(element, of: LogSelection.Disposition.allCases.map(\.rawValue))
        }
        if case .sequence(let nodes) = field.node.content, nodes.isEmpty {
            field.error(.unknownValue, "without a verdict nothing is logged", remedy: "write allow, deny or audit")
        }
        return Set(words.compactMap(LogSelection.Disposition.init(rawValue:)))
    }

    /// Nil: it is another one.
    private func word(_ field: Field, of words: [String]) -> String? {
        guard let text = field.string() else { return nil }
        if words.contains(text) { return text }
        let guess = closestWord(to: text, among: words)
        field.error(
            .unknownValue, "\(field.quoted) is none of \(words.joined(separator: ", "))",
            remedy: guess.map { "did you mean `\($0)`?" } ?? "write one of them")
        return nil
    }

    private func namespaces(_ field: Field) -> Set<String> {
        let elements = field.elements() ?? []
        if case .sequence = field.node.content, !(1...PolicyLoggingReading.namespacesMax).contains(elements.count) {
            field.error(
                .unknownValue, "\(elements.count) namespaces",
                remedy: "write 1 to \(PolicyLoggingReading.namespacesMax) of them; for all leave the field out")
        }
        var names: Set<String> = []
        for element in elements {
            guard let text = element.string() else { continue }
            let isName =
                text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
                && (1...63).contains(text.utf8.count) && text.first != "-" && text.last != "-"
            if !isName {
                element.error(
                    .invalidName, "\(element.quoted) is not a valid name",
                    remedy: "use lower-case letters, digits and hyphens")
            }
            names.insert(text)
        }
        return names
    }

    private func labels(_ field: Field) -> LabelSelector? {
        guard let entries = field.entries() else { return nil }
        if entries.count > PolicyLoggingReading.labelsMax {
            field.error(
                .unknownValue, "\(entries.count) labels", remedy: "write \(PolicyLoggingReading.labelsMax) at most")
        }
        let wanted = entries.compactMap { entry in
            entry.value.string().map {
                LabelRequirement.equal(source: LabelSource.any, key: entry.key, value: $0)
            }
        }
        return wanted.isEmpty ? nil : LabelSelector(wanted)
    }
}
