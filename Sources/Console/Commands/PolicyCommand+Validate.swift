// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

extension PolicyCommand {
    struct Validate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check policy files; needs no agent.",
            discussion: "Exit status 1 if a file has an error. Warnings do not count.")

        @Argument(help: "YAML files, or directories of such; - for standard input.")
        var files: [String]

        @OptionGroup var output: OutputOptions

        func run() async throws {
            var isValid = true
            for document in try files.flatMap(readDocuments) {
                let report = OfflineValidation.validate(document)
                isValid = isValid && report.isValid
                try output.show(report, PolicyRendering.lines)
            }
            if !isValid { throw ConsoleFailure(.negative) }
        }
    }
}
