// SPDX-License-Identifier: Apache-2.0

package import ArgumentParser

/// `bulkhead`: asks the agent and shows its answers.
package struct BulkheadCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bulkhead",
        abstract: "Keeps the workloads of this host apart by identity, and says why.",
        discussion: """
            Exit status: 0 done or allowed, 1 the answer is no (denied, not valid, differs, not found), 2 wrong usage, \
            3 no agent answers, 4 refused, 5 failed (the old state stays in force).
            """,
        version: "0.1.0",
        subcommands: [
            StatusCommand.self, EndpointCommand.self, IdentityCommand.self, PolicyCommand.self, ExplainCommand.self,
            ObserveCommand.self, FQDNCommand.self, ShieldCommand.self, AlertsCommand.self, ResponseCommand.self,
            ReplayCommand.self, MetricsCommand.self, MapCommand.self, CNICommand.self, AuditCommand.self,
            DetachCommand.self, CompletionsCommand.self, ReferenceCommand.self,
        ])

    package init() {}
}

/// Runs the command line and returns the exit status.
package func runConsole(_ arguments: [String]) async -> Int32 {
    do {
        try HelpTopic.check(arguments)
        let command = try BulkheadCommand.parseAsRoot(arguments)
        try await TextTable.$terminalWidth.withValue(terminalWidth) { try await run(command) }
        return ConsoleStatus.success.rawValue
    } catch let error where isParserError(error) {
        let text = BulkheadCommand.fullMessage(for: error)
        guard BulkheadCommand.exitCode(for: error) == .success else {
            printError(inOurWords(spelledOut(arguments, in: text)))
            return ConsoleStatus.usage.rawValue
        }
        printLine(text)
        return ConsoleStatus.success.rawValue
    } catch {
        let failure = ConsoleFailure(error)
        if !failure.message.isEmpty { printError("bulkhead: \(failure.message)") }
        return failure.status.rawValue
    }
}

private func run(_ command: any ParsableCommand) async throws {
    var command = command
    if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
    } else {
        try command.run()
    }
}

/// The parser quotes what was typed as it was typed, also what a terminal would obey.
private func spelledOut(_ arguments: [String], in text: String) -> String {
    let pieces = arguments.flatMap { [$0] + $0.split(separator: "=", maxSplits: 1).dropFirst().map(String.init) }
    return pieces.filter { $0.forTerminal != $0 }.reduce(text) { $0.replacing($1, with: $1.forTerminal) }
}

/// The parser's `Error: Missing …` in the form of every other error here.
private func inOurWords(_ text: String) -> String {
    let mark = "Error: "
    guard text.hasPrefix(mark) else { return text }
    let message = text.dropFirst(mark.count)
    return "bulkhead: " + message.prefix(1).lowercased() + message.dropFirst()
}

/// True for help requests, and for errors in the command line itself.
private func isParserError(_ error: any Error) -> Bool {
    if error is CleanExit || error is ValidationError { return true }
    // Errors of the parser are of types it does not export.
    return String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
}
