// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

extension AlertPipeline {
    /// Continues what a journal holds; mutes of the configuration are not part of it.
    package init(_ settings: AlertSettings, continuing journal: [AlertChange]) {
        self.init(settings)
        for change in journal where change.isSound {
            switch change {
            case .alert(let alert): alerts[alert.id] = alert
            case .incident(let incident): incidents[incident.id] = incident
            case .mute(let mute): mutes[mute.id] = mute
            case .forgotAlert(let id): alerts[id] = nil
            case .forgotIncident(let id): incidents[id] = nil
            case .forgotMute(let id): mutes[id] = nil
            case .numbers(let next): numbers = next
            }
        }
        // Whatever was cut off: a number that is taken is not given out again.
        numbers.alert = max(numbers.alert, (alerts.keys.max() ?? 0) + 1)
        numbers.incident = max(numbers.incident, ((alerts.values.map(\.incident) + incidents.keys).max() ?? 0) + 1)
        numbers.mute = max(numbers.mute, (mutes.keys.max() ?? 0) + 1)
        for alert in alerts.values.sorted(by: { $0.id < $1.id }) {
            newest[alert.key] = alert.id
            if alert.announced?.state != alert.state || alert.announced?.severity != alert.severity {
                pending.insert(alert.id)
            }
        }
        for incident in incidents.values.sorted(by: { $0.id < $1.id }) {
            for mark in incident.marks {
                if mark.isTarget {
                    targetIncidents[mark.address] = incident.id
                } else {
                    sourceIncidents[mark.address] = incident.id
                }
            }
        }
    }

    /// What the journal does not know yet.
    package mutating func takeChanges() -> [AlertChange] {
        let dirty = self.dirty
        self.dirty = DirtySets()
        var changes: [AlertChange] = dirty.numbers.map { [.numbers($0)] } ?? []
        changes += dirty.incidents.sorted().map { id in incidents[id].map(AlertChange.incident) ?? .forgotIncident(id) }
        changes += dirty.alerts.sorted().map { id in alerts[id].map(AlertChange.alert) ?? .forgotAlert(id) }
        changes += dirty.mutes.sorted().compactMap { id in
            guard let mute = mutes[id] else { return .forgotMute(id) }
            return mute.isConfigured ? nil : .mute(mute)
        }
        return changes
    }

    /// Everything, for a new journal.
    package func wholeJournal() -> [AlertChange] {
        [.numbers(numbers)] + incidents.values.sorted { $0.id < $1.id }.map(AlertChange.incident)
            + alerts.values.sorted { $0.id < $1.id }.map(AlertChange.alert)
            + mutes.values.filter { !$0.isConfigured }.sorted { $0.id < $1.id }.map(AlertChange.mute)
    }
}

extension AlertChange {
    /// False for numbers that nobody can have given out: they are damage, and leave none to be given out.
    fileprivate var isSound: Bool {
        let numbers =
            switch self {
            case .alert(let alert): [alert.id, alert.incident, alert.findings, alert.reopened]
            case .incident(let incident): [incident.id, incident.alertCount]
            case .mute(let mute): [mute.id]
            case .forgotAlert, .forgotIncident, .forgotMute: [Int]()
            case .numbers(let next): [next.alert, next.incident, next.mute, next.notice]
            }
        return numbers.allSatisfy { (0...Int.max / 2).contains($0) }
    }
}
