// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Check, apply, show and compare policies.",
        subcommands: [
            Apply.self, Get.self, Delete.self, History.self, Rollback.self, Confirm.self, Validate.self, Compile.self,
            Diff.self, Import.self, Lint.self, Test.self, Unused.self,
        ])

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring policies into force; each file is one transaction.",
            discussion: "The agent keeps them over restarts. A policy of the same kind, namespace and name is replaced."
        )

        @Option(
            name: .shortAndLong,
            help: ArgumentHelp(
                "YAML file, or a directory of such; - for standard input. May be repeated.", valueName: "path"))
        var file: [String]

        @OptionGroup var planning: PlanFlags

        @OptionGroup var change: ChangeFlags

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            let documents = try file.flatMap(readDocuments)
            guard (change.confirm == nil && !planning.plan) || documents.count == 1 else {
                let option = planning.plan ? "--plan" : "--confirm"
                throw ConsoleFailure(.usage, "\(option) takes one file: each file is a change of its own")
            }
            for document in documents {
                guard !planning.plan else {
                    try await planning.show(.apply(document), agent)
                    continue
                }
                try agent.output.show(
                    try await agent.client.applyPolicies(document, options: change.options), PolicyRendering.lines)
            }
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the policies in force, or show one.")

        @Argument(help: "kind/namespace/name, kind/name or name.")
        var policy: String?

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            if let policy {
                try agent.output.show(try await agent.client.policy(policy), ListRendering.lines)
            } else {
                try agent.output.show(try await agent.client.policies(), ListRendering.lines)
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a policy that was applied out of force.",
            discussion: "A policy of the watched directory is deleted by removing its file.")

        @Argument(help: "kind/namespace/name, kind/name or name.")
        var policy: String

        @OptionGroup var planning: PlanFlags

        @OptionGroup var change: ChangeFlags

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            guard !planning.plan else { return try await planning.show(.delete(policy), agent) }
            try agent.output.show(
                try await agent.client.deletePolicy(policy, options: change.options), PolicyRendering.lines)
        }
    }
}
