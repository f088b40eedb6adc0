// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

extension AlertPipeline {
    /// The incident a new alert belongs to: who did something lately, or suffered it and now does something, counts more
    /// than to whom it is done.
    mutating func incident(for finding: Finding, now: UInt64) -> Int {
        var candidates: [Int?] = []
        if let source = finding.source, !finding.isSourceForgeable {
            candidates = [sourceIncidents[source], targetIncidents[source]]
        }
        candidates.append(finding.target.flatMap { targetIncidents[$0] })
        let known = candidates.compactMap(\.self).first { id in
            incidents[id].map { $0.lastSeen &+ settings.incidentTime > now } ?? false
        }
        if let known { return known }
        let id = numbers.incident
        numbers.incident += 1
        dirty.numbers = numbers
        counters.incidents += 1
        incidents[id] = Incident(id: id, now: now)
        return id
    }

    /// Notes what an alert says about its incident, and takes from it what it says about the alert.
    mutating func correlate(_ id: Int, now: UInt64) {
        guard var alert = alerts[id] else { return }
        // An incident may have gone for want of room while the alert stayed.
        if incidents[alert.incident] == nil {
            incidents[alert.incident] = Incident(id: alert.incident, now: now)
            incidents[alert.incident]?.add(alert)
        }
        guard var incident = incidents[alert.incident] else { return }
        if let raised = incident.raise(alert), raised.severity > alert.severity {
            alert.severity = raised.severity
            if !alert.raisedBecause.contains(raised.because) && alert.raisedBecause.count < 8 {
                alert.raisedBecause.append(raised.because)
            }
            alerts[id] = alert
        }
        incident.mark(alert)
        incident.lastSeen = max(incident.lastSeen, now)
        incident.severity = max(incident.severity, alert.severity)
        incidents[incident.id] = incident
        dirty.incidents.insert(incident.id)
        if let source = alert.source, !alert.isSourceForgeable { sourceIncidents[source] = incident.id }
        if let target = alert.target { targetIncidents[target] = incident.id }
        boundAddresses(now: now)
    }

    /// One incident may have any number of addresses: those of incidents that are over go first, then all.
    private mutating func boundAddresses(now: UInt64) {
        let most = 4 * settings.capacity
        guard sourceIncidents.count > most || targetIncidents.count > most else { return }
        let before = sourceIncidents.count + targetIncidents.count
        let current = Set(incidents.values.filter { $0.lastSeen &+ settings.incidentTime > now }.map(\.id))
        sourceIncidents = sourceIncidents.filter { current.contains($0.value) }
        targetIncidents = targetIncidents.filter { current.contains($0.value) }
        if sourceIncidents.count > most / 2 { sourceIncidents = [:] }
        if targetIncidents.count > most / 2 { targetIncidents = [:] }
        counters.forgottenAddresses += UInt64(before - sourceIncidents.count - targetIncidents.count)
    }

    // MARK: - Forgetting

    /// Takes a sixteenth of the alerts away, so that it is done seldom.
    ///
    /// What is over goes before what is not, then of the detector that has most the least severe and oldest: a flood of one
    /// kind cannot drive another out.
    mutating func makeRoom() {
        var excess = max(1, alerts.count / 16)
        for alert in alerts.values.filter({ $0.state == .closed }).sorted(by: AlertPipeline.goesBefore) {
            guard excess > 0 else { return }
            excess -= 1
            drop(alert)
        }
        var groups = Dictionary(grouping: alerts.values, by: \.detector)
            .mapValues { $0.sorted { AlertPipeline.goesBefore($1, $0) } }
        while excess > 0, let largest = groups.max(by: { ($0.value.count, $1.key) < ($1.value.count, $0.key) }) {
            guard let alert = groups[largest.key]?.popLast() else { return }
            excess -= 1
            drop(alert)
        }
    }

    private static func goesBefore(_ a: Alert, _ b: Alert) -> Bool {
        (a.severity, a.lastSeen, a.id) < (b.severity, b.lastSeen, b.id)
    }

    private mutating func drop(_ alert: Alert) {
        counters.forgotten += 1
        if alert.state != .closed { counters.forgottenOpen += 1 }
        if alert.announced == nil && alert.mute == nil { counters.forgottenUnannounced += 1 }
        forget(alert)
    }

    mutating func forget(_ alert: Alert) {
        alerts[alert.id] = nil
        pending.remove(alert.id)
        if newest[alert.key] == alert.id { newest[alert.key] = nil }
        dirty.alerts.insert(alert.id)
    }

    mutating func forget(_ incident: Incident) {
        incidents[incident.id] = nil
        for address in incident.sources + incident.targets + incident.marks.map(\.address) {
            if sourceIncidents[address] == incident.id { sourceIncidents[address] = nil }
            if targetIncidents[address] == incident.id { targetIncidents[address] = nil }
        }
        dirty.incidents.insert(incident.id)
    }

    /// The oldest go until the rest fits; addresses of incidents with more than are listed go with them.
    mutating func forgetIncidents() {
        let excess = incidents.count - settings.capacity + settings.capacity / 16
        for incident in incidents.values.sorted(by: { ($0.lastSeen, $0.id) < ($1.lastSeen, $1.id) }).prefix(excess) {
            forget(incident)
        }
        sourceIncidents = sourceIncidents.filter { incidents[$0.value] != nil }
        targetIncidents = targetIncidents.filter { incidents[$0.value] != nil }
    }
}
