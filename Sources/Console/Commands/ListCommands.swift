// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

struct EndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint", abstract: "Show endpoints: the policed workloads of this host.",
        subcommands: [List.self, Get.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all endpoints.")

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.endpoints(), ListRendering.lines)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one endpoint.")

        @Argument(help: "Name or number.")
        var endpoint: String

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.endpoint(endpoint), ListRendering.lines)
        }
    }
}

struct IdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity", abstract: "Show identities: the numbers that stand for label sets.",
        subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all identities.")

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.identities(), ListRendering.lines)
        }
    }
}

struct FQDNCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fqdn", abstract: "Show what DNS has told workloads, and the rules that rely on it.",
        subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List names with their addresses, when they expire, and the rules by which they are permitted.")

        @Option(help: "Only what this endpoint was told (name or number).")
        var endpoint: String?

        @Option(help: "Only such names; * stands for any characters, as in *.example.org.")
        var name: String?

        @Option(help: "Rows at most.")
        var limit: Int = 10_000

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit is a number of rows, not \(limit)") }
        }

        func run() async throws {
            let query = NameQuery(endpoint: endpoint, name: name, limit: limit)
            try agent.output.show(try await agent.client.learntNames(query), ListRendering.lines)
        }
    }
}

struct MapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map", abstract: "Show the kernel's tables with words for numbers.", subcommands: [Dump.self])

    struct Dump: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the rows of a table.")

        @Argument(help: "policy, ipcache, conntrack, endpoints, subjects, metrics, rules or names.")
        var name: MapName

        @Option(help: "Rows at most.")
        var limit: Int = 10_000

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit is a number of rows, not \(limit)") }
        }

        func run() async throws {
            try agent.output.show(try await agent.client.dump(name, limit: limit), ListRendering.lines)
        }
    }
}

extension MapName: ExpressibleByArgument {}
