// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import Glibc
import PolicyModel

extension PolicyCommand {
    struct Lint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find policies that are ineffective or surprising, with the reason and the remedy.",
            discussion: """
                The files are looked at together. Where an agent answers, also against its workloads and the other \
                policies in force; else, or with --offline, by themselves, or against the workloads given with \
                --workload. Without a file: what is in force. A policy whose author means a finding says so in the \
                annotation bulkhead.dev/lintIgnore: "BH2112: the reason". Exit status 0 without findings or with notes \
                only, 1 with warnings, 2 if a file cannot be read or has an error, 3 if an agent is needed and none \
                answers.
                """)

        @Argument(help: "YAML files, or directories of such; - for standard input.")
        var files: [String] = []

        @Option(help: "The least severe findings to show: note, warning or error.")
        var severity: LintSeverity = .note

        @Flag(help: "Notes count like warnings for the exit status.")
        var strict = false

        @Flag(help: "Show also what is meant to be so by bulkhead.dev/lintIgnore.")
        var exempted = false

        @Option(help: ArgumentHelp("Say what a code means, and do nothing else.", valueName: "code"))
        var explain: String?

        @OptionGroup var imagined: ImaginationOptions

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            if files.isEmpty, explain == nil, imagined.isOffline {
                throw ValidationError("--offline and --workload need files")
            }
        }

        func run() async throws {
            if let explain { return try show(code: explain) }
            var report = try await report()
            let isUnsound = report.findings.contains { $0.diagnostic.severity == "error" }
            let counts = report.findings.contains { finding in
                finding.exemption == nil && (strict || finding.diagnostic.severity != "note")
            }
            report.findings.removeAll { finding in
                (finding.exemption != nil && !exempted) || !severity.includes(finding.diagnostic.severity)
            }
            try agent.output.show(report, LintRendering.lines)
            if isUnsound { throw ConsoleFailure(.usage) }
            if counts { throw ConsoleFailure(.negative) }
        }

        private func report() async throws -> LintReport {
            let documents = files.flatMap(readEachDocument)
            // What is no text, or cannot be read, has errors enough by itself: all of them are told at once.
            let texts = documents.compactMap(\.asText)
            guard !imagined.isOffline, texts.count == documents.count else { return try offline(documents) }
            do {
                let request = LintRequest(documents: texts)
                return try await agent.client.lintPolicies(request)
            } catch let error as ControlClientError where error.isWithoutAgent {
                guard !agent.isSocketNamed, !documents.isEmpty else { throw error }
                return try offline(documents)
            }
        }

        private func offline(_ documents: [Result<PolicyDocument, DocumentFault>]) throws -> LintReport {
            try OfflineLint(documents, workloads: try imagined.labels(), now: Int64(time(nil))).report()
        }

        private func show(code text: String) throws {
            guard let code = DiagnosticCode(text.uppercased()) else {
                throw ConsoleFailure(.usage, "no code \"\(text)\": docs/reference/diagnostics.md lists them")
            }
            DiagnosticReference.text(code).forEach { printLine($0) }
        }
    }
}

extension Result<PolicyDocument, DocumentFault> {
    /// Nil if it could not be read, or is not UTF-8, which JSON cannot carry.
    fileprivate var asText: TextDocument? {
        guard case .success(let document) = self else { return nil }
        return TextDocument(document)
    }
}

/// How much a finding must matter.
enum LintSeverity: String, ExpressibleByArgument, CaseIterable {
    case note
    case warning
    case error

    func includes(_ severity: String) -> Bool {
        let order = LintSeverity.allCases
        guard let found = LintSeverity(rawValue: severity).flatMap(order.firstIndex),
            let least = order.firstIndex(of: self)
        else { return true }
        return found >= least
    }
}
