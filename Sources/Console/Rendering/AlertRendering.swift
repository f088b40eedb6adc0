// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import DetectionModel
import ResponseActions

/// Alerts for people.
enum AlertRendering {
    static func lines(_ list: AlertList) -> [String] {
        var table = TextTable([
            "ALERT", "SEVERITY", "STATE", "DETECTOR", "SOURCE", "TARGET", "FOUND", "LAST", "INCIDENT",
        ])
        for alert in list.alerts {
            table.add([
                "\(alert.id)", "\(alert.severity)", alert.mute == nil ? alert.state.rawValue : "muted", alert.detector,
                party(alert.source, alert.sourceName), target(alert), "\(alert.findings)", seconds(alert.lastSeen),
                "\(alert.incident)",
            ])
        }
        let rest = list.total - list.alerts.count
        return table.lines(none: "no alerts") + (rest > 0 ? ["\(rest) more: --limit"] : [])
    }

    /// One announcement on one line.
    static func line(_ notice: AlertNoticeRecord) -> String {
        let alert = notice.alert
        let parties = [party(alert.source, alert.sourceName), target(alert)].filter { !$0.isEmpty }
        return
            "\(seconds(notice.time)) \(notice.kind.rawValue) \(alert.severity) alert \(alert.id) \(alert.detector) "
            + parties.joined(separator: " -> ") + (parties.isEmpty ? "" : ": ") + alert.summary
    }

    static func detail(_ alert: AlertRecord) -> [String] {
        let raised = alert.raisedBecause.isEmpty ? "" : ", raised: " + alert.raisedBecause.joined(separator: "; ")
        var state = alert.state.rawValue
        if let by = alert.by { state += " by \(by)" }
        if let comment = alert.comment { state += ": \(comment)" }
        if let mute = alert.mute { state += ", muted by \(mute)" }
        var since = "\(seconds(alert.since)), last \(seconds(alert.lastSeen)), found \(alert.findings) times"
        if alert.reopened > 0 { since += ", came back \(alert.reopened) times" }
        var lines: [String] = ["alert \(alert.id): \(alert.summary)"]
        lines.append("  severity   \(alert.severity)\(raised)")
        lines.append("  state      \(state)")
        lines.append("  detector   \(alert.detector), \(alert.technique)")
        lines.append("  incident   \(alert.incident)")
        lines.append("  since      \(since)")
        if let source = alert.source {
            lines.append(
                "  source     \(party(source, alert.sourceName))" + (alert.sourceForgeable ? ", may be forged" : ""))
        }
        if alert.target != nil { lines.append("  target     \(target(alert))") }
        for item in alert.evidence {
            let text: String
            switch item.value {
            case .number(let number):
                text = number.rounded() == number && number.magnitude < 1e15 ? "\(Int64(number))" : "\(number)"
            case .text(let value): text = value
            case .list(let list): text = list.joined(separator: " ")
            }
            lines.append("  evidence   \(item.name): \(text)")
        }
        return lines
    }

    static func incidentLines(_ incidents: [IncidentRecord]) -> [String] {
        var table = TextTable(["INCIDENT", "SEVERITY", "ALERTS", "SINCE", "LAST", "DETECTORS", "SOURCES", "TARGETS"])
        for incident in incidents {
            table.add([
                "\(incident.id)", "\(incident.severity)", "\(incident.alertCount)", seconds(incident.since),
                seconds(incident.lastSeen), some(incident.detectors), some(incident.sources), some(incident.targets),
            ])
        }
        return table.lines(none: "no incidents")
    }

    static func muteLines(_ mutes: [MuteRecord]) -> [String] {
        var table = TextTable(["MUTE", "DETECTOR", "SOURCE", "TARGET", "UNTIL", "BY", "COMMENT"])
        for mute in mutes {
            table.add([
                "\(mute.id)", mute.detector ?? "", mute.source ?? "", mute.target ?? "",
                mute.until.map(seconds) ?? "lifted", mute.configured ? "configuration" : mute.by ?? "",
                mute.comment ?? "",
            ])
        }
        return table.lines(none: "no mutes")
    }

    static func status(_ status: AlertStatus) -> [String] {
        let counters = status.counters
        var lines = [
            "\(status.open) open, \(status.acknowledged) acknowledged, \(status.muted) of them muted by \(status.mutes) "
                + "mutes; \(status.waiting) wait to be announced; \(status.responses) responses in force",
            "\(counters.findings) findings, \(counters.alerts) alerts, \(counters.incidents) incidents since the agent's start",
        ]
        if counters.forgotten > 0 {
            lines.append(
                "forgotten for want of room: \(counters.forgotten) alerts, \(counters.forgottenOpen) of them not over, "
                    + "\(counters.forgottenUnannounced) never announced")
        }
        if status.lostByWatchers > 0 {
            lines.append("lost by slow readers of `alerts watch`: \(status.lostByWatchers)")
        }
        if let problem = status.problem { lines.append("journal: \(problem)") }
        guard !status.sinks.isEmpty else { return lines }
        var table = TextTable(["SINK", "TYPE", "DELIVERED", "PENDING", "REFUSED", "LOST", "PLACE", "PROBLEM"])
        for sink in status.sinks {
            table.add([
                sink.name, sink.type, "\(sink.delivered)", "\(sink.pending)", "\(sink.refused)", "\(sink.lost)",
                sink.place, sink.problem ?? "",
            ])
        }
        return lines + table.lines(none: "")
    }

    private static func target(_ alert: AlertRecord) -> String {
        let party = party(alert.target, alert.targetName)
        guard let port = alert.port else { return party }
        return (party.isEmpty ? "*" : party) + " \(alert.protocol ?? "port")/\(port)"
    }

    private static func party(_ address: String?, _ name: String?) -> String {
        guard let address else { return "" }
        return name.map { "\($0) (\(address))" } ?? address
    }

    private static func some(_ list: [String]) -> String {
        list.prefix(4).joined(separator: ", ") + (list.count > 4 ? ", …" : "")
    }

    /// A time without its fraction.
    static func seconds(_ time: String) -> String { time.count > 20 ? String(time.prefix(19)) + "Z" : time }
}

/// What was done about attacks, for people.
enum ResponseRendering {
    static func lines(_ report: ResponseReport) -> [String] {
        var table = TextTable(["ACTION", "KIND", "SUBJECT", "STATE", "UNTIL", "ALERT", "CAUSE", "PROBLEM"])
        for action in report.actions {
            table.add([
                "\(action.id)", action.action, action.port.map { "\(action.subject) port \($0)" } ?? action.subject,
                action.state.rawValue + (action.repetition > 1 ? " (time \(action.repetition))" : ""),
                AlertRendering.seconds(action.endedAt ?? action.until), "\(action.alert)",
                "\(action.detector): \(action.cause)", action.problem ?? "",
            ])
        }
        let counters = report.counters
        var lines = table.lines(none: "nothing is in force; mode of detectors without a rule: \(report.mode)")
        lines.append("")
        lines.append(
            "since the agent's start: \(counters.actions) done, \(counters.wouldAct) would have been, "
                + "\(counters.refused) refused by guard rails, \(counters.failed) failed")
        if let problem = report.problem { lines.append("journal: \(problem)") }
        return lines
    }
}
