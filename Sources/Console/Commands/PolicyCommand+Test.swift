// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import Glibc
import KernelPolicyTesting
import PolicyModel
import PolicyReading
import PolicyTesting

extension PolicyCommand {
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run expectations about policies (kind PolicyTest); needs no agent.",
            discussion: """
                Files of policies that a test names are found relative to the test's own file. A policy whose time is \
                over (bulkhead.dev/validUntil) is not in force; a test may say `now`. Exit status 0 if all \
                probes are as expected, 1 if one is not, 2 if a file cannot be read or has an error, or the engine \
                cannot run. The kernel engine needs root; it has programs and tables of its own, is attached to \
                nothing and leaves nothing behind.
                """)

        @Argument(help: "YAML or JSON files, or directories of such; - for standard input.")
        var files: [String]

        @Option(
            help:
                "What judges: model (the compiled tables, in user space), kernel (the kernel's programs), or both, which must agree."
        )
        var engine: TestEngines = .model

        @Option(name: .shortAndLong, help: "table for people, json for programs, junit for build servers.")
        var output: TestOutputFormat = .table

        func run() async throws {
            let engines = try engine.start()
            var report = PolicyTestReport()
            for document in try files.flatMap(testDocuments) {
                let set = PolicyTestReader().read(bytes: document.text, file: document.name)
                show(set.diagnostics, in: &report)
                let runner = PolicyTestRunner(engines: engines, now: Int64(time(nil))) { path, place in
                    try load(path.hasPrefix("/") ? path : directory(of: document.name) + path, at: place)
                }
                for test in set.tests {
                    do {
                        report.add(try runner.run(test))
                    } catch let error as PolicyTestRunner.InputError {
                        show(error.diagnostics, in: &report)
                    } catch {
                        let reason = (error as? ConsoleFailure)?.message ?? "\(error)"
                        let message = "test \(test.name) cannot be judged: \(reason)"
                        printError("\(test.location.text): \(message.forTerminal)")
                        report.addError(message, at: test.location)
                    }
                }
            }
            switch output {
            case .table: PolicyTestRendering.lines(report).forEach(printLine)
            case .json: printLine(String(decoding: try APICoding.encode(report, pretty: true), as: UTF8.self))
            case .junit: printLine(PolicyTestRendering.junit(report))
            }
            if report.errors != nil { throw ConsoleFailure(.usage) }
            if report.failed > 0 { throw ConsoleFailure(.negative) }
        }

        /// Prints diagnostics; errors among them are part of the report too.
        private func show(_ diagnostics: [Diagnostic], in report: inout PolicyTestReport) {
            for diagnostic in diagnostics {
                let record = DiagnosticRecord(diagnostic)
                printError(record.text)
                if diagnostic.severity == .error {
                    report.addError("\(record.code): \(record.message)", at: diagnostic.location)
                }
            }
        }

        /// A file of policies that a test names; one that cannot be read is an error of the test, where it names it.
        private func load(_ path: String, at place: SourceLocation) throws -> [UInt8] {
            do {
                return try readDocument(path).text
            } catch {
                var diagnostic = error.diagnostic
                diagnostic.location = place
                throw PolicyTestRunner.InputError(diagnostics: [diagnostic])
            }
        }

        /// A file is a test because it was named; of a directory only what says so.
        private func testDocuments(_ path: String) throws -> [PolicyDocument] {
            do {
                let documents = try readDocuments(path)
                guard documents.count != 1 || documents[0].name != path else { return documents }
                let tests = documents.filter { PolicyTestReader.isTest($0.text) }
                if tests.isEmpty { throw ConsoleFailure(.usage, "no policy test (kind: PolicyTest) in \(path)") }
                return tests
            } catch {
                // Bad input, for this verb.
                throw ConsoleFailure(.usage, ConsoleFailure(error).message)
            }
        }

        private func directory(of file: String) -> String {
            guard let slash = file.lastIndex(of: "/") else { return "" }
            return String(file[...slash])
        }
    }
}

/// What judges the probes of policy tests.
enum TestEngines: String, ExpressibleByArgument, CaseIterable {
    case model
    case kernel
    case both

    /// Makes the engines ready; fails before anything is read if one of them cannot run here.
    func start() throws -> [any PolicyTestEngine] {
        let model: [any PolicyTestEngine] = self == .kernel ? [] : [ModelEngine()]
        guard self != .model else { return model }
        do {
            return try model + [KernelEngine()]
        } catch {
            throw ConsoleFailure(.usage, "\(error)")
        }
    }
}

/// How the results of policy tests are shown.
enum TestOutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table
    case json
    case junit
}
