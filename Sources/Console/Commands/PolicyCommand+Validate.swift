// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

extension PolicyCommand {
    struct Validate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check policy files; needs no agent and no rights.",
            discussion: """
                The files are looked at together: the same policy in two of them is an error, an allow rule that a deny \
                rule of another covers is a warning. Exit status 1 if there is an error or a file cannot be \
                read. Warnings do not count.
                """)

        @Argument(help: "YAML files, or directories of such; - for standard input.")
        var files: [String]

        @OptionGroup var output: OutputOptions

        func run() async throws {
            let report = PolicyFiles(files.flatMap(readEachDocument)).report
            try output.show(report, PolicyRendering.lines)
            if !report.isValid { throw ConsoleFailure(.negative) }
        }
    }
}
