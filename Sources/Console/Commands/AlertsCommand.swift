// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ArgumentParser
import ControlAPI
import DetectionModel

struct AlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts", abstract: "Show what detectors found, look after it, and mute what is no news.",
        subcommands: [
            List.self, Watch.self, Get.self, Incidents.self, Acknowledge.self, Close.self, Mute.self, Unmute.self,
            Mutes.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List alerts, newest first: open and acknowledged ones, unless --state says otherwise.")

        @Option(help: "Only alerts in this state; may be repeated: open, acknowledged, closed.")
        var state: [Alert.State] = []

        @Option(help: "Only alerts at least so severe: info, low, medium, high, critical.")
        var severity: Severity?

        @Option(help: "Only alerts of this detector.")
        var detector: String?

        @Option(help: "Only alerts of this incident.")
        var incident: Int?

        @Option(help: "Rows at most.")
        var limit: Int = 1000

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit is a number of rows, not \(limit)") }
        }

        func run() async throws {
            var query = AlertQuery()
            query.states = Set(state)
            query.severity = severity
            query.detector = detector
            query.incident = incident
            query.limit = limit
            try agent.output.show(try await agent.client.alerts(query), AlertRendering.lines)
        }
    }

    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show each announcement as it is made, one a line, until interrupted.")

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            let format = agent.output.output
            try await agent.client.watchAlerts { line in
                switch format {
                case .json: printLine(String(decoding: line, as: UTF8.self))
                case .table:
                    printLine(AlertRendering.line(try APICoding.decode(AlertNoticeRecord.self, from: line)).forTerminal)
                }
                return true
            }
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one alert with its evidence.")

        @Argument(help: "Number of the alert.")
        var alert: Int

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.alert(alert), AlertRendering.detail)
        }
    }

    struct Incidents: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List incidents: alerts about the same source or target, close together.")

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.incidents(), AlertRendering.incidentLines)
        }
    }

    /// Which alerts are meant, for what is done with them.
    struct Selection: ParsableArguments {
        @Argument(help: "Numbers of alerts.")
        var alerts: [Int] = []

        @Option(help: "All alerts of this incident that are not over.")
        var incident: Int?

        @Option(help: "What others should know.")
        var comment: String?

        func validate() throws {
            guard !alerts.isEmpty || incident != nil else { throw ValidationError("say which alerts, or --incident") }
        }

        var request: AlertChangeRequest { AlertChangeRequest(alerts: alerts, incident: incident, comment: comment) }
    }

    struct Acknowledge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ack",
            abstract: "Say that you look after alerts: they are announced again only if they get worse.")

        @OptionGroup var selection: Selection
        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.acknowledge(selection.request), AlertRendering.lines)
        }
    }

    struct Close: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End alerts by hand; a new finding opens them again.")

        @OptionGroup var selection: Selection
        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.closeAlerts(selection.request), AlertRendering.lines)
        }
    }

    struct Mute: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep alerts silent: they are kept and counted, but neither announced nor answered.",
            discussion: "All that is said must fit. A mute of everything is none.")

        @Option(help: "Alerts of this detector.")
        var detector: String?

        @Option(help: "Alerts whose source is this address, or lies in this prefix.")
        var source: String?

        @Option(help: "Alerts whose target is this address, or lies in this prefix.")
        var target: String?

        @Option(
            name: .customLong("for"),
            help: ArgumentHelp("How long, as 30m, 2h or 7d; until it is lifted if it is not said.", valueName: "time"))
        var duration: String?

        @Option(help: "Why.")
        var comment: String?

        @OptionGroup var agent: AgentOptions

        func validate() throws {
            guard detector != nil || source != nil || target != nil else {
                throw ValidationError("say what is muted: --detector, --source or --target")
            }
            if let duration, Mute.seconds(duration) == nil {
                throw ValidationError("--for \(duration): say a time from 1s to 3650d, as 30m, 2h or 7d")
            }
        }

        func run() async throws {
            let request = MuteRequest(
                detector: detector, source: source, target: target, seconds: duration.flatMap(Mute.seconds),
                comment: comment)
            try agent.output.show(try await agent.client.mute(request)) { AlertRendering.muteLines([$0]) }
        }

        /// Nil if it is no time, or none that a mute may last.
        static func seconds(_ text: String) -> Int64? {
            let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
            guard let last = text.last, let unit = units[last], text.count <= 11, let number = Int64(text.dropLast()),
                MuteRequest.secondsRange.contains(number * unit)
            else { return nil }
            return number * unit
        }
    }

    struct Unmute: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lift a mute; what it kept silent and is not over is announced.")

        @Argument(help: "Number of the mute.")
        var mute: Int

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.unmute(mute), AlertRendering.muteLines)
        }
    }

    struct Mutes: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List mutes, those of the configuration too.")

        @OptionGroup var agent: AgentOptions

        func run() async throws {
            try agent.output.show(try await agent.client.mutes(), AlertRendering.muteLines)
        }
    }
}

extension Alert.State: ExpressibleByArgument {}

extension Severity: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }

    package static var allValueStrings: [String] { allCases.map(\.description) }
}
