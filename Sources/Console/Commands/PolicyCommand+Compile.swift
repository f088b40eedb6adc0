// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import Glibc
import IdentityModel
import PolicyModel

extension PolicyCommand {
    struct Compile: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the map state that policies make, as sorted lines.",
            discussion: """
                Without a file: what is in force. With one: what would be, if it were applied. Where no agent runs, \
                the file is compiled for one imagined workload or host for each selector in it, or for the workloads given \
                with --workload; that needs no rights.
                """)

        @Option(name: .shortAndLong, help: ArgumentHelp("YAML file; - for standard input.", valueName: "path"))
        var file: String?

        @OptionGroup var imagined: ImaginationOptions

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            if file == nil, imagined.isOffline {
                throw ValidationError("--offline and --workload need a file: -f FILE")
            }
        }

        func run() async throws {
            guard let file else {
                let inForce = PolicyDocument(name: "", text: [])
                return try show(try await agent.client.compilePolicies(inForce))
            }
            let documents = try readDocuments(file)
            if !imagined.isOffline, let document = documents.first, documents.count == 1 {
                do {
                    return try show(try await agent.client.compilePolicies(document))
                } catch let error as ControlClientError where error.isWithoutAgent {
                    guard !agent.isSocketNamed else { throw error }
                    printError("bulkhead: \(error)")
                    printError(
                        "bulkhead: compiled for imagined workloads and hosts instead; --offline says so beforehand")
                }
            }
            let policies = try PolicyFiles(documents).check().policies.inForce(at: Int64(time(nil)))
            var compilation = try OfflineCompilation(for: [policies], workloads: try imagined.labels())
            try show(try compilation.compile(policies))
        }

        private func show(_ report: CompileReport) throws { try agent.output.show(report, PolicyRendering.lines) }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Print whose verdict and what in the map state changes: by applying a file, or between two files.",
            discussion: """
                One file: compared with what is in force. Two: the first is the old state, the second the new one, both \
                compiled for imagined workloads and hosts; that needs no agent and no rights. Exit status 0 if nothing would \
                change, 1 if something would, if not every pair could be looked at, or if the two say different things that \
                concern nobody imagined.
                """)

        @Option(
            name: .shortAndLong,
            help: ArgumentHelp("YAML file; - for standard input. Twice: the old and the new one.", valueName: "path"))
        var file: [String]

        @Option(
            help: ArgumentHelp(
                "Labels of a workload to compile for, such as k8s:app=web. May be repeated. Only with two files.",
                valueName: "labels"))
        var workload: [String] = []

        @Option(help: ArgumentHelp("Changed verdicts to name; the rest is counted.", valueName: "number"))
        var limit = PlanReport.limit

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            guard (1...2).contains(file.count) else {
                throw ValidationError("-f is given once or twice, not more often")
            }
            guard file.count == 2 || workload.isEmpty else {
                throw ValidationError("--workload needs two files: -f OLD -f NEW")
            }
        }

        func run() async throws {
            let report = try await file.count == 1 ? compareWithAgent() : compareFiles()
            try agent.output.show(report, PolicyRendering.lines)
            if report.saysChange { throw ConsoleFailure(.negative) }
        }

        private func compareWithAgent() async throws -> DiffReport {
            let document = try readDocument(file[0])
            do {
                return try await agent.client.diffPolicies(document, limit: limit)
            } catch let error as ControlClientError where error.isWithoutAgent {
                let failure = ConsoleFailure(error)
                throw ConsoleFailure(failure.status, "\(failure.message); two files need no agent: -f OLD -f NEW")
            }
        }

        private func compareFiles() throws -> DiffReport {
            let sides = try file.map { path in
                try PolicyFiles(try readDocuments(path)).check().policies.inForce(at: Int64(time(nil)))
            }
            let workloads = try workload.map(ImaginationOptions.labels)
            var compilation = try OfflineCompilation(for: sides, workloads: workloads)
            return try compilation.diff(from: sides[0], to: sides[1], limit: limit)
        }
    }
}

extension DiffReport {
    /// True if a verdict or the map state changes, or may do so: where not every pair was looked at, that nothing changes is
    /// not known, and policies may say other things that concern nobody who was looked at.
    var saysChange: Bool {
        !lines.isEmpty || plan.map { $0.total > 0 || $0.unjudgedPairs > 0 } ?? false
            || untold.map { !$0.isEmpty } ?? false
    }
}

/// How to compile without an agent.
struct ImaginationOptions: ParsableArguments {
    @Flag(help: "Do not ask the agent: compile for imagined workloads and hosts.")
    var offline = false

    @Option(
        help: ArgumentHelp(
            "Labels of a workload to compile for, such as k8s:app=web. May be repeated. Implies --offline.",
            valueName: "labels"))
    var workload: [String] = []

    var isOffline: Bool { offline || !workload.isEmpty }

    func labels() throws -> [LabelSet] { try workload.map(ImaginationOptions.labels) }

    /// `k8s:app=web,k8s:tier=front`; without a source a label is a Kubernetes label, without a namespace in `default`.
    static func labels(_ text: String) throws -> LabelSet {
        let labels = try text.split(separator: ",").map { part in
            // No label of a workload has any: it is a slip of the pen, and nothing would fit it.
            guard !part.contains(where: \.isWhitespace) else {
                throw ConsoleFailure(
                    .usage,
                    "--workload: \"\(part)\" is not a label: there is a space in it; write k8s:app=web,k8s:tier=front")
            }
            do throws(LabelSyntaxError) {
                return try Label.parse(String(part), defaultSource: LabelSource.kubernetes)
            } catch {
                throw ConsoleFailure(.usage, "--workload: \"\(part)\" is not a label: \(error.reason)")
            }
        }
        return LabelSet(inDefaultNamespace: labels)
    }
}
