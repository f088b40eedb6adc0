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
            abstract: "Bring policies into force; all files together are one transaction.",
            discussion: """
                The agent keeps them over restarts. A policy of the same kind, namespace and name is replaced. If one \
                file is wrong, none comes into force. Where the agent shares a store with a fleet (`cluster` in its \
                configuration) they come into force on every node, a hundred at once at most.
                """)

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
            guard planning.plan else {
                let report = try await agent.client.applyPolicies(documents, options: change.options)
                return try agent.output.show(report, PolicyRendering.lines)
            }
            try await planning.show(.apply(documents), agent)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the policies in force, or show one.", aliases: ["list"])

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
