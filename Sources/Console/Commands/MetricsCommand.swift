// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import Metrics

struct MetricsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Print the agent's metrics, as Prometheus reads them.",
        discussion: """
            What each means: docs/reference/metrics.md. For Prometheus itself the agent listens where `metrics.listen` \
            of its configuration says.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case prometheus
        case openmetrics
    }

    @Option(help: "The text format: prometheus (0.0.4) or openmetrics (1.0).")
    var format: Format = .prometheus

    @Option(help: ArgumentHelp("The agent's API socket (or the variable BULKHEAD_SOCKET).", valueName: "path"))
    var socket: String?

    func run() async throws {
        let path = socket ?? environment("BULKHEAD_SOCKET") ?? defaultSocketPath
        let client = ControlClient(transport: SocketTransport(path: path))
        let text = try await client.metrics(format == .openmetrics ? .openMetrics : .prometheus)
        for line in text.split(separator: "\n") { printLine(String(line)) }
    }
}
