// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

struct ShieldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shield", abstract: "Show the shield against floods, and block sources for a time.",
        subcommands: [Status.self, Feeds.self, Accept.self, Block.self, Unblock.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show where the shield stands, what it dropped and why, and who is blocked.")

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.shieldReport(), ShieldRendering.lines)
        }
    }

    struct Feeds: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the feeds with what they hold, what they hit, and lines that cannot be read.")

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.shieldReport().feeds, ShieldRendering.feedLines)
        }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take what a feed's file says now, although it shrank beyond its limit.")

        @Argument(help: ArgumentHelp("The feed's name.", valueName: "feed"))
        var feed: String

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            let report = try await agent.client.accept(ShieldFeedRequest(feed: feed))
            try agent.output.show(report.feeds, ShieldRendering.feedLines)
        }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop what an address, a /24 or a /64 sends, for a time.",
            discussion: """
                A block ends by itself. Failsafe ports stay open to whom it is about. The address that you sit at, the \
                host's own and those of allow feeds are refused.
                """)

        @Argument(help: ArgumentHelp("An address, a /24 or a /64.", valueName: "address"))
        var prefix: String

        @Option(
            name: .customLong("for"),
            help: ArgumentHelp("How long, as 30s, 10m, 2h or 1d; 30d at most.", valueName: "time"))
        var duration: String = "1h"

        @Option(help: ArgumentHelp("Why, for those who see the block later.", valueName: "text"))
        var cause: String?

        @Flag(help: "Also the address that you sit at, and the host's own.")
        var force = false

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            guard Block.seconds(duration) != nil else {
                throw ValidationError("--for \(duration): say a time from 1s to 30d, as 30s, 10m, 2h or 1d")
            }
        }

        func run() async throws {
            let request = ShieldBlockRequest(
                prefix: prefix, seconds: Block.seconds(duration), force: force ? true : nil,
                session: currentSession().map { "\($0.client)" }, cause: cause)
            try agent.output.show(try await agent.client.block(request).blocks, ShieldRendering.blockLines)
        }

        /// Nil if it is no time, or none that a block may last.
        static func seconds(_ text: String) -> Int64? {
            let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
            guard let last = text.last, let unit = units[last], text.count <= 9, let number = Int64(text.dropLast()),
                ShieldBlockRequest.secondsRange.contains(number * unit)
            else { return nil }
            return number * unit
        }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lift a block before it ends.")

        @Argument(help: ArgumentHelp("What was blocked.", valueName: "address"))
        var prefix: String

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            let report = try await agent.client.unblock(ShieldBlockRequest(prefix: prefix))
            try agent.output.show(report.blocks, ShieldRendering.blockLines)
        }
    }
}
