// SPDX-License-Identifier: Apache-2.0

package import AlertPipeline
package import DetectionModel

/// `GET /v1/alerts`.
package struct AlertList: Codable, Hashable, Sendable {
    /// Newest first.
    package var alerts: [AlertRecord]
    /// How many there are that are meant.
    package var total: Int

    package init(alerts: [AlertRecord], total: Int) {
        self.alerts = alerts
        self.total = total
    }
}

/// Which alerts are meant.
package struct AlertQuery: Hashable, Sendable {
    /// Empty: open and acknowledged ones.
    package var states: Set<Alert.State> = []
    package var severity: Severity?
    package var detector: String?
    package var incident: Int?
    package var limit = 1000

    package init() {}
}

/// Alerts that belong together.
package struct IncidentRecord: Codable, Hashable, Sendable {
    package var id: Int
    package var severity: Severity
    package var since: String
    package var lastSeen: String
    package var alertCount: Int
    package var alerts: [Int]
    package var detectors: [String]
    package var sources: [String]
    package var targets: [String]

    package init(_ incident: Incident, time: (UInt64) -> String) {
        id = incident.id
        severity = incident.severity
        since = time(incident.since)
        lastSeen = time(incident.lastSeen)
        alertCount = incident.alertCount
        alerts = incident.alerts
        detectors = incident.detectors
        sources = incident.sources.map { "\($0)" }
        targets = incident.targets.map { "\($0)" }
    }
}

/// Body of `POST /v1/alerts/ack` and `POST /v1/alerts/close`.
package struct AlertChangeRequest: Codable, Hashable, Sendable {
    package var alerts: [Int]
    /// And all alerts of this incident.
    package var incident: Int?
    package var comment: String?

    package init(alerts: [Int], incident: Int? = nil, comment: String? = nil) {
        self.alerts = alerts
        self.incident = incident
        self.comment = comment
    }
}

/// Body of `POST /v1/alerts/mutes`; at least one of detector, source and target.
package struct MuteRequest: Codable, Hashable, Sendable {
    package var detector: String?
    /// An address or a prefix.
    package var source: String?
    package var target: String?
    /// How long; nil: until it is lifted.
    package var seconds: Int64?
    package var comment: String?

    package init(
        detector: String? = nil, source: String? = nil, target: String? = nil, seconds: Int64? = nil,
        comment: String? = nil
    ) {
        self.detector = detector
        self.source = source
        self.target = target
        self.seconds = seconds
        self.comment = comment
    }

    /// A second to ten years.
    package static let secondsRange: ClosedRange<Int64> = 1...3650 * 86_400
}

/// A mute.
package struct MuteRecord: Codable, Hashable, Sendable {
    package var id: Int
    package var detector: String?
    package var source: String?
    package var target: String?
    /// RFC 3339; nil: no end.
    package var until: String?
    package var by: String?
    package var comment: String?
    /// Stands in the configuration and is lifted there.
    package var configured: Bool

    package init(_ mute: AlertMute, time: (UInt64) -> String) {
        id = mute.id
        detector = mute.detector
        source = mute.source.map { "\($0)" }
        target = mute.target.map { "\($0)" }
        until = mute.until.map(time)
        by = mute.by
        comment = mute.comment
        configured = mute.isConfigured
    }
}

/// One sink, as in `status`.
package struct SinkStatus: Codable, Hashable, Sendable {
    package var name: String
    package var type: String
    /// Path, address, URL or program.
    package var place: String
    /// Notices since the spool was made.
    package var delivered: Int
    package var pending: Int
    package var refused: Int
    package var lost: Int
    /// Why the last attempt failed; nil: it did not.
    package var problem: String?

    package init(
        name: String, type: String, place: String, delivered: Int = 0, pending: Int = 0, refused: Int = 0,
        lost: Int = 0, problem: String? = nil
    ) {
        self.name = name
        self.type = type
        self.place = place
        self.delivered = delivered
        self.pending = pending
        self.refused = refused
        self.lost = lost
        self.problem = problem
    }
}

/// Alerts and what is done about them, as in `status`.
package struct AlertStatus: Codable, Hashable, Sendable {
    package var open = 0
    package var acknowledged = 0
    /// Of both, those that a mute keeps silent.
    package var muted = 0
    package var mutes = 0
    /// Announcements that wait for the limit.
    package var waiting = 0
    /// Since the agent started.
    package var counters = AlertCounters()
    /// Notices that readers of `alerts watch` were too slow for.
    package var lostByWatchers: UInt64 = 0
    package var sinks: [SinkStatus] = []
    package var responses = 0
    /// What is wrong with the journal.
    package var problem: String?

    package init() {}
}
