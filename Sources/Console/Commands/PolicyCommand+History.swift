// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

extension PolicyCommand {
    struct History: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the changes of applied policies, newest first, or show one with its documents.",
            discussion: """
                Every apply, delete and rollback that changed something is a numbered revision: who (the user's number, \
                as the kernel tells it), when, and which policies. Policies of the watched directory have no history here.
                """)

        @Argument(help: "The number of a revision.")
        var revision: Int?

        @Option(help: ArgumentHelp("Revisions to list.", valueName: "number"))
        var limit = 20

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            if let revision {
                try agent.output.show(try await agent.client.revision(revision), HistoryRendering.lines)
            } else {
                try agent.output.show(try await agent.client.history(limit: limit), HistoryRendering.lines)
            }
        }
    }

    struct Rollback: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring the applied policies of an earlier revision back, as a new revision.",
            discussion: """
                One transaction with the checks of `policy apply`. 0 is the time before the first revision. It also ends \
                the wait for a confirmation. Where nothing differs and nothing waits there is no new revision.
                """)

        @Argument(help: "The number of the revision whose policies are to be in force again.")
        var revision: Int

        @OptionGroup var planning: PlanFlags

        @OptionGroup var change: ChangeFlags

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            guard !planning.plan else { return try await planning.show(.rollBack(revision), agent) }
            let report = try await agent.client.rollBack(to: revision, options: change.options)
            try agent.output.show(report, PolicyRendering.lines)
        }
    }

    struct Confirm: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a change that was made with --confirm.",
            discussion: "Exit status 1 if nothing waits to be confirmed: its time may be over.")

        @Argument(help: "The number of the revision; the one that waits, if it is left out.")
        var revision: Int?

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            let kept = try await agent.client.confirm(revision)
            try agent.output.show(kept) { ["revision \($0.number) is confirmed: it stays in force"] }
        }
    }
}

/// A change of policies that is looked at and not made.
struct PlanFlags: ParsableArguments {
    @Flag(help: "Show whose traffic would get another verdict, and change nothing.")
    var plan = false

    @Option(help: ArgumentHelp("Changed verdicts that --plan names; the rest is counted.", valueName: "number"))
    var limit = PlanReport.limit

    func show(_ change: PlannedChange, _ agent: AgentOptions) async throws {
        try agent.output.show(try await agent.client.planPolicies(change, limit: limit), PlanRendering.lines)
    }
}

/// How a change of policies is to be made.
struct ChangeFlags: ParsableArguments {
    @Flag(help: "Show what would change and change nothing.")
    var dryRun = false

    @Flag(help: "Also if it would cut the host's own access.")
    var force = false

    @Option(
        help: ArgumentHelp(
            "Take the change back unless `bulkhead policy confirm` comes within this time, such as 90s, 2m or 1h.",
            valueName: "time"))
    var confirm: ConfirmationTime?

    @Flag(help: "On this host alone, where it shares a store with a fleet; what is said here wins here.")
    var local = false

    var options: ChangeOptions {
        ChangeOptions(
            isDryRun: dryRun, isForced: force, session: currentSession(), confirmWithin: confirm?.duration,
            isLocal: local)
    }
}

/// `90s`, `2m`, `1h`, or a number of seconds.
struct ConfirmationTime: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        let units = ["": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let number = Int(digits), let unit = units[String(argument.dropFirst(digits.count))] else { return nil }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, ChangeOptions.confirmationSeconds.contains(seconds) else { return nil }
        duration = .seconds(seconds)
    }
}
