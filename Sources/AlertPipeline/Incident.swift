// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
package import NetworkModel

/// Alerts that belong together: about the same source, or the same target, within a window of time.
package struct Incident: Hashable, Sendable, Codable {
    /// That an address did something, or that it was done to it.
    struct Mark: Hashable, Sendable, Codable {
        var address: IPAddress
        var isTarget: Bool
        var stage: AttackStage
    }

    /// Never given out twice.
    package let id: Int
    /// Nanoseconds since 1970: first and last finding.
    package var since: UInt64
    package var lastSeen: UInt64
    /// The worst of its alerts'.
    package var severity: Severity
    /// How many alerts it has had.
    package var alertCount: Int
    /// Numbers of the first alerts, and those who appear in them; bounded.
    package var alerts: [Int]
    package var detectors: [String]
    package var sources: [IPAddress]
    package var targets: [IPAddress]
    /// What correlation remembers; bounded.
    var marks: [Mark]

    private static let listMax = 64
    private static let markMax = 128

    init(id: Int, now: UInt64) {
        self.id = id
        since = now
        lastSeen = now
        severity = .info
        alertCount = 0
        (alerts, detectors, sources, targets, marks) = ([], [], [], [], [])
    }

    mutating func add(_ alert: Alert) {
        alertCount += 1
        if alerts.count < Incident.listMax { alerts.append(alert.id) }
        Incident.insert(alert.detector, into: &detectors)
        if let source = alert.source { Incident.insert(source, into: &sources) }
        if let target = alert.target { Incident.insert(target, into: &targets) }
        since = min(since, alert.since)
    }

    private static func insert<Element: Equatable>(_ element: Element, into list: inout [Element]) {
        if list.count < listMax && !list.contains(element) { list.append(element) }
    }

    /// Remembers what an alert says about its parties.
    ///
    /// A source that may be forged says nothing about who did it.
    mutating func mark(_ alert: Alert) {
        guard let stage = AttackStage(technique: alert.technique) else { return }
        if let source = alert.source, !alert.isSourceForgeable {
            insert(Mark(address: source, isTarget: false, stage: stage))
        }
        if let target = alert.target { insert(Mark(address: target, isTarget: true, stage: stage)) }
    }

    private mutating func insert(_ mark: Mark) {
        guard !marks.contains(mark) else { return }
        if marks.count == Incident.markMax { marks.removeFirst() }
        marks.append(mark)
    }

    /// The severity an alert deserves for what else is known, and why; nil: its own.
    ///
    /// Only what a source did that cannot be forged counts: else anybody could raise anything about anyone.
    func raise(_ alert: Alert) -> (severity: Severity, because: String)? {
        guard let source = alert.source, !alert.isSourceForgeable, let stage = AttackStage(technique: alert.technique)
        else { return nil }
        let did = Set(marks.filter { $0.address == source && !$0.isTarget }.map(\.stage)).union([stage])
        let suffered = Set(marks.filter { $0.address == source && $0.isTarget }.map(\.stage))
        if stage != .access && stage != .impact && suffered.contains(.access) {
            return (.critical, "somebody tried to get into \(source) before")
        }
        if stage == .exfiltration && did.contains(.control) {
            return (.critical, "\(source) took orders before it sent data away")
        }
        if did.count >= 3 { return (.critical, "\(source) was seen in \(did.count) stages of an attack") }
        if (stage == .access || stage == .spread) && did.contains(.reconnaissance) {
            return (.high, "\(source) looked around before")
        }
        return nil
    }
}
