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
        abstract: "Turn audit mode on or off: report what policy would drop, and let it pass.")

    enum Mode: String, ExpressibleByArgument, CaseIterable {
        case on
        case off
    }

    @Argument(help: "on or off.")
    var mode: Mode

    @Option(help: "Only for this endpoint (name or number); otherwise for the whole host.")
    var endpoint: String?

    @OptionGroup var agent: AgentOptions

    func run() async throws {
        if let endpoint {
            let record = try await agent.client.setEndpointAudit(endpoint, mode == .on)
            try agent.output.show(record) { ["audit mode of \($0.name) is \(mode.rawValue)"] }
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
