// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// What `bulkhead help` is asked about.
enum HelpTopic {
    /// Throws if the command line asks for help about a command that does not exist.
    ///
    /// The argument parser answers such a request with the main help, as if that had been asked for.
    static func check(_ arguments: [String]) throws {
        guard arguments.first == "help" else { return }
        var command: any ParsableCommand.Type = BulkheadCommand.self
        var path = "bulkhead"
        for name in arguments.dropFirst() where !name.hasPrefix("-") {
            let commands = command.configuration.subcommands
            guard let named = commands.first(where: { names(of: $0).contains(name) }) else {
                let known = commands.compactMap { names(of: $0).first }.joined(separator: ", ")
                throw ConsoleFailure(
                    .usage, "\(path) has no command \"\(name)\"" + (known.isEmpty ? "" : ": it has \(known)"))
            }
            command = named
            path += " \(name)"
        }
    }

    /// A command's own name, then its other ones.
    private static func names(of command: any ParsableCommand.Type) -> [String] { allNames(command) }

    private static func allNames<Command: ParsableCommand>(_ command: Command.Type) -> [String] {
        [command._commandName] + command.configuration.aliases
    }
}
