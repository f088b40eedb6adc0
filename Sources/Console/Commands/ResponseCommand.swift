// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

struct ResponseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "response", abstract: "Show what was done about attacks, and take it back.",
        subcommands: [List.self, Undo.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List actions that are in force or would be, newest first, each with its cause.")

        @Flag(help: "Also what is over, failed, or was refused by a guard rail.")
        var all = false

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.responses(isWhole: all), ResponseRendering.lines)
        }
    }

    struct Undo: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take actions back now; whom they were about is left alone for a while.")

        @Argument(help: "Numbers of actions.")
        var actions: [Int] = []

        @Flag(help: "Everything that is in force.")
        var all = false

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            guard actions.isEmpty == all else { throw ValidationError("say which actions, or --all") }
        }

        func run() async throws {
            let request = UndoRequest(actions: actions, all: all ? true : nil)
            try agent.output.show(try await agent.client.undoResponses(request), ResponseRendering.lines)
        }
    }
}
