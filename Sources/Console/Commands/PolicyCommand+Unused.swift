// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

extension PolicyCommand {
    struct Unused: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List rules in force that no packet met for a time.",
            discussion: """
                By the counters in the kernel, which also count while no agent runs. Time is what was watched: without \
                that between two boots, and whatever the wall clock does. A rule that was changed is a new one. Where \
                the record is younger than --since, that is said and nothing is called unused. Exit status 0 if no rule \
                is unused, 1 if one is.
                """)

        @Option(help: ArgumentHelp("For how long, such as 12h or 30d.", valueName: "time"))
        var since: UsageTime = UsageTime(seconds: 30 * 86_400)

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            let report = try await agent.client.unusedRules(since: since.seconds)
            try agent.output.show(report, UsageRendering.lines)
            if !report.unused.isEmpty { throw ConsoleFailure(.negative) }
        }
    }
}

/// `90s`, `15m`, `12h`, `30d`, or a number of seconds.
struct UsageTime: ExpressibleByArgument {
    let seconds: Int64

    init(seconds: Int64) { self.seconds = seconds }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        let units: [String: Int64] = ["": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400]
        guard let number = Int64(digits), let unit = units[String(argument.dropFirst(digits.count))] else { return nil }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, seconds > 0, seconds <= 100 * 365 * 86_400 else { return nil }
        self.seconds = seconds
    }

    var defaultValueDescription: String { UsageRendering.time(seconds) }
}

/// Unused rules for people.
enum UsageRendering {
    static func lines(_ report: RuleUsageReport) -> [String] {
        var table = TextTable(["POLICY", "RULE", "ACTION", "FILE", "LAST HIT", "WATCHED"])
        for rule in report.unused {
            table.add([
                rule.policy, rule.rule, rule.action, rule.source,
                (rule.lastHit.map { "\(time($0)) ago" } ?? "never") + (rule.isInEffect ? "" : ", selects nobody"),
                time(rule.watched),
            ])
        }
        let since = time(report.since)
        var lines = table.lines(none: "no rule is known to be unused for \(since)")
        if !report.unused.isEmpty {
            lines.append("\(report.unused.count) of \(report.rules) rules unused for \(since)")
        }
        if let oldest = report.young.map(\.watched).max() {
            lines.append(
                "\(report.young.count) of \(report.rules) rules were never hit, but are not watched for \(since) yet "
                    + "(\(time(oldest)) at most): nothing can be said of them")
        }
        if report.watched < report.since { lines.append("the record is \(time(report.watched)) old") }
        if report.uncounted > 0 { lines.append("\(report.uncounted) rules have no counter of their own") }
        return lines
    }

    /// The greatest unit that fits: `45d`, `3h`, `12m`, `5s`.
    static func time(_ seconds: Int64) -> String {
        for (unit, length) in [("d", Int64(86_400)), ("h", 3600), ("m", 60)] where seconds >= length {
            return "\(seconds / length)\(unit)"
        }
        return "\(seconds)s"
    }
}
