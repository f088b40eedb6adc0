// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what is attached where, what is in force, and what is wrong.",
        discussion: "Exit status 1 if the agent is not ready: starting, or something could not be brought into force.")

    @OptionGroup var agent: AgentOptions

    func run() async throws {
        let report = try await agent.client.status()
        try agent.output.show(report, StatusRendering.lines)
        if report.condition != .ready { throw ConsoleFailure(.negative) }
    }
}

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Turn audit mode on or off: report what policy would drop, and let it pass.",
        discussion: """
            Of the whole host, of the workloads of a namespace, or of one endpoint: who is in audit mode by any of the \
            three is. What a workload in it sends is still judged at the other end.
            """)

    enum Mode: String, ExpressibleByArgument, CaseIterable {
        case on
        case off
    }

    @Argument(help: "on or off.")
    var mode: Mode

    @Option(help: "Only for this endpoint (name or number); otherwise for the whole host.")
    var endpoint: String?

    @Option(help: "Only for the workloads of this namespace, also those that come later.")
    var namespace: String?

    @OptionGroup var agent: AgentOptions

    func validate() throws {
        guard endpoint == nil || namespace == nil else { throw ValidationError("either --endpoint or --namespace") }
    }

    func run() async throws {
        if let endpoint {
            let record = try await agent.client.setEndpointAudit(endpoint, mode == .on)
            try agent.output.show(record) {
                ["audit mode of \($0.name) is \(mode.rawValue)"]
                    + ($0.audit && mode == .off ? ["its namespace is in audit mode: it stays audited"] : [])
            }
        } else if let namespace {
            let report = try await agent.client.setNamespaceAudit(namespace, mode == .on)
            try agent.output.show(report) { _ in ["audit mode of namespace \(namespace) is \(mode.rawValue)"] }
        } else {
            let report = try await agent.client.setAudit(mode == .on)
            try agent.output.show(report) { _ in ["audit mode of this host is \(mode.rawValue)"] }
        }
    }
}

struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print a completion script for bash, zsh or fish.")

    @Argument(help: "bash, zsh or fish.")
    var shell: String

    func run() throws {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw ValidationError("no shell \"\(shell)\": bash, zsh or fish")
        }
        printLine(BulkheadCommand.completionScript(for: shell))
    }
}
