// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Detectors
import PolicyReading

/// Prints pages of the reference that are made from the code; `make docs` writes them.
struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Print a page of the reference.", shouldDisplay: false)

    @Argument(help: "The page's name without its ending; none lists them.")
    var page: String?

    func run() throws {
        guard let page else { return ReferenceCommand.pages.keys.sorted().forEach(printLine) }
        guard let lines = ReferenceCommand.pages[page] else { throw ConsoleFailure(.usage, "no page \"\(page)\"") }
        lines().forEach(printLine)
    }

    /// By path below docs/reference, without `.md`.
    private static let pages: [String: @Sendable () -> [String]] = {
        var pages: [String: @Sendable () -> [String]] = [
            "diagnostics": DiagnosticReference.page, "metrics": MetricReference.page,
        ]
        for page in DialectPage.all { pages["dialects/\(page.name)"] = { DialectReference.page(page) } }
        pages["detectors/README"] = DetectorReference.index
        for guide in DetectorCatalogue.guides {
            pages["detectors/\(guide.name)"] = { DetectorReference.page(guide) }
        }
        return pages
    }()
}
