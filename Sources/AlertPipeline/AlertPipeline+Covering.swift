// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// One thing that somebody does is one alert, where one detector says all that another does and more.
extension AlertPipeline {
    /// By detector: those of which nothing is told about the same source beside it.
    ///
    /// Who looks for the next victim also scans a network, and runs into policies.
    private static let covered: [String: Set<String>] = ["fan-out": ["network-scan", "denied-burst"]]

    /// The open alert that says more about what a finding says; nil: there is none.
    func covering(_ finding: Finding) -> Int? {
        guard AlertPipeline.covered.values.contains(where: { $0.contains(finding.detector) }) else { return nil }
        return alertsAbout(finding.source).first { alert in
            alert.mute == nil && AlertPipeline.covered[alert.detector]?.contains(finding.detector) == true
        }?.id
    }

    /// Closes what is open and says less than an alert.
    mutating func cover(by id: Int, now: UInt64) {
        guard let greater = alerts[id], greater.mute == nil, let lesser = AlertPipeline.covered[greater.detector]
        else { return }
        for alert in alertsAbout(greater.source) where lesser.contains(alert.detector) {
            _ = close(alert.id, by: nil, comment: "alert \(id), \(greater.detector), says more", now: now)
            guard alert.announced == nil else { continue }
            // Nobody has heard of it, nor needs to.
            alerts[alert.id]?.announced = Alert.Announcement(state: .closed, severity: alert.severity, time: now)
            pending.remove(alert.id)
        }
    }

    /// Alerts of a source that are not over, of its incident.
    private func alertsAbout(_ source: IPAddress?) -> [Alert] {
        guard let source, let incident = sourceIncidents[source].flatMap({ incidents[$0] }) else { return [] }
        return incident.alerts.compactMap { alerts[$0] }.filter { $0.source == source && $0.state != .closed }
    }
}
