// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import PolicyCompiler
import PolicyModel
import PolicyReading

/// Policy files read the way the agent reads them, without one.
struct PolicyFiles {
    /// Without errors; no reference twice.
    private(set) var policies: [Policy] = []
    /// In the order of the files, and of the text in each.
    private(set) var diagnostics: [Diagnostic] = []

    var hasErrors: Bool { diagnostics.hasErrors }

    init(_ documents: [PolicyDocument], linted: Bool = true) {
        self.init(documents.map { .success($0) }, linted: linted)
    }

    /// What cannot be read is an error among those of the files that can.
    ///
    /// `linted`: also tells what looks unintended in the rules together.
    init(_ files: [Result<PolicyDocument, DocumentFault>], linted: Bool = true) {
        var set = PolicySet()
        var read: [(name: String, diagnostics: [Diagnostic])] = []
        for file in files {
            let document: PolicyDocument
            switch file {
            case .success(let readable): document = readable
            case .failure(let fault):
                read.append((fault.file, [fault.diagnostic]))
                continue
            }
            let result = PolicyReader().read(bytes: document.text, file: document.name)
            read.append((document.name, result.diagnostics + set.merge(result.policies)))
        }
        policies = set.policies
        let isTold = read.contains { $0.diagnostics.contains { $0.code == .tooManyTiers } }
        if let problem = TierLine(of: policies).problem, let last = read.indices.last, !isTold {
            let location = SourceLocation(file: read[last].name, line: 1, column: 1)
            read[last].diagnostics.append(
                Diagnostic(severity: .error, code: .tooManyTiers, location: location, message: problem))
        }
        // What looks unintended is told by file too, whatever files it takes to see it.
        let found =
            linted
            ? (PolicyLint.diagnostics(policies) + PolicyLint.namesNotRead(policies, isKnown: false)).map(\.diagnostic)
            : []
        let lint = Dictionary(grouping: found) { $0.location.file }
        diagnostics = read.flatMap { name, found in
            PolicyDocumentSet(policies: [], diagnostics: found + (lint[name] ?? [])).diagnostics
        }
    }

    /// What `policy validate` says.
    var report: ValidationReport {
        ValidationReport(
            isValid: !hasErrors, policies: policies.map(\.reference.text),
            diagnostics: diagnostics.map(DiagnosticRecord.init))
    }

    /// Throws what the agent would answer if a file has an error.
    func check() throws -> PolicyFiles {
        guard hasErrors else { return self }
        let errors = diagnostics.filter { $0.severity == .error }
        throw APIError(
            .invalidPolicy, "the policies have errors; nothing was compiled",
            diagnostics: errors.map(DiagnosticRecord.init))
    }
}
