// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Reads policy tests: YAML or JSON, several documents to a file.
package struct PolicyTestReader: Sendable {
    static let kind = "PolicyTest"
    static let apiVersion = "bulkhead.dev/v1alpha1"

    private let options: PolicyReader.Options

    package init(options: PolicyReader.Options = PolicyReader.Options()) { self.options = options }

    /// Reads every document of a file; a test with an error is left out and its errors are reported.
    ///
    /// Inline policies are read here and may have errors too; files of policies are only named.
    package func read(bytes: [UInt8], file: String) -> PolicyTestSet {
        let context = ReadingContext(file: file, bytes: bytes, options: options)
        guard !PolicyReader.isBlank(bytes) else {
            context.report(
                YAMLError(
                    code: .emptyFile, start: YAMLMark(line: 1, column: 1),
                    message: "no policy test in \(file): the file is empty",
                    remedy: "delete the file if its tests are to go, else write them again"))
            return PolicyTestSet(tests: [], diagnostics: context.diagnostics)
        }
        var tests: [PolicyTest] = []
        context.forEachDocument(of: bytes) { document in
            let test = read(document, context)
            return { if let test { tests.append(test) } }
        }
        return PolicyTestSet(tests: tests, diagnostics: context.diagnostics)
    }

    /// True if the bytes look like tests rather than policies: some line names the kind.
    package static func isTest(_ bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).contains(kind)
    }

    private func read(_ document: YAMLNode, _ context: ReadingContext) -> PolicyTest? {
        guard !document.isNull else { return nil }
        let errorsBefore = context.errorCount
        let field = Field(node: document, path: nil, context: context)
        let table = FieldTable([
            "apiVersion", "kind", "metadata", "namespaces", "workloads", "policies", "probes", "names", "now",
        ])
        guard let mapping = field.mapping(table) else { return nil }
        expect(mapping.required("kind"), PolicyTestReader.kind)
        expect(mapping.required("apiVersion"), PolicyTestReader.apiVersion)
        let metadata = mapping.required("metadata")?.mapping(FieldTable(["name", "labels", "annotations"]))
        let name = metadata?.required("name")?.string() ?? ""
        let workloads = PolicyTestWorkloadReading(
            namespaces: PolicyTestWorkloadReading.namespaces(mapping["namespaces"])
        ).read(mapping["workloads"])
        let policies = mapping["policies"]?.elements()?.compactMap { policySource($0, in: name) } ?? []
        let names = PolicyTestWorkloadReading.names(mapping["names"])
        let reading = PolicyTestProbeReading(workloads: workloads, names: names)
        let probes = mapping.required("probes")?.elements()?.compactMap(reading.read) ?? []
        let now = mapping["now"].flatMap(moment)
        guard context.errorCount == errorsBefore else { return nil }
        return PolicyTest(
            name: name, location: field.location, workloads: workloads, policies: policies, probes: probes,
            names: names, now: now)
    }

    private func moment(_ field: Field) -> Int64? {
        guard let text = field.string() else { return nil }
        let seconds = Timestamps.seconds(text)
        if seconds == nil {
            field.error(
                .unknownValue, "\(field.quoted) is not a moment", remedy: "write it as \"2026-12-31T23:59:59Z\"")
        }
        return seconds
    }

    private func expect(_ field: Field?, _ text: String) {
        guard let field, let found = field.string(), found != text else { return }
        field.error(.unknownKind, "\(field.quoted) is not \(text)", remedy: "write \(text)")
    }

    private func policySource(_ field: Field, in test: String) -> PolicyTest.PolicySource? {
        guard let mapping = field.mapping(FieldTable(["file", "inline"])) else { return nil }
        switch (mapping["file"], mapping["inline"]) {
        case (.some(let path), nil):
            return path.string().map { .file($0, path.location) }
        case (nil, .some(let inline)):
            return .inline(policies(inline))
        case (nil, nil) where mapping.pairs.isEmpty:
            field.error(.missingField, "a policy is either `file` or `inline`", remedy: "write `file: PATH`")
        case (.some, .some):
            mapping.keyField("inline")?.error(
                .unknownField, "one entry has both file and inline", remedy: "write two entries (`- `)")
        default: break
        }
        return nil
    }

    /// A policy as text of its own, or written out in place.
    private func policies(_ inline: Field) -> [Policy] {
        if case .mapping = inline.node.content {
            return DocumentReading(context: inline.context).policies(in: inline.node)
        }
        guard let text = inline.string() else { return [] }
        let result = PolicyReader(options: options).read(text, file: "\(inline.location.text) inline")
        for diagnostic in result.diagnostics where diagnostic.severity == .error {
            inline.error(
                diagnostic.code,
                "\(diagnostic.message) (line \(diagnostic.location.line), column \(diagnostic.location.column) of the text)",
                remedy: diagnostic.remedy)
        }
        return result.policies
    }
}
