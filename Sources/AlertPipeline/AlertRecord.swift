// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// An alert as the API and the sinks write it; times are RFC 3339.
package struct AlertRecord: Codable, Hashable, Sendable {
    package var id: Int
    package var incident: Int
    package var state: Alert.State
    package var severity: Severity
    package var detector: String
    /// MITRE ATT&CK identifier.
    package var technique: String
    package var summary: String
    /// An address, or a prefix; nil: nobody can be named.
    package var source: String?
    package var sourceName: String?
    /// True if source addresses may be forged.
    package var sourceForgeable: Bool
    package var target: String?
    package var targetName: String?
    package var port: Int?
    package var `protocol`: String?
    package var since: String
    package var lastSeen: String
    package var closedAt: String?
    package var findings: Int
    package var reopened: Int
    package var by: String?
    package var comment: String?
    package var mute: Int?
    package var raisedBecause: [String]
    package var evidence: [AlertEvidence]

    /// `time` writes nanoseconds since 1970 as RFC 3339.
    package init(_ alert: Alert, time: (UInt64) -> String) {
        id = alert.id
        incident = alert.incident
        state = alert.state
        severity = alert.severity
        detector = alert.detector
        technique = alert.technique
        summary = alert.summary
        source = alert.sourcePrefix.map { $0.length == ($0.isIPv4 ? 32 : 128) ? "\($0.address)" : "\($0)" }
        sourceName = alert.sourceName
        sourceForgeable = alert.isSourceForgeable
        target = alert.target.map { "\($0)" }
        targetName = alert.targetName
        port = alert.port == 0 ? nil : Int(alert.port)
        self.protocol = alert.ipProtocol.map { "\(IPProtocol(rawValue: $0))" }
        since = time(alert.since)
        lastSeen = time(alert.lastSeen)
        closedAt = alert.state == .closed ? time(alert.stateSince) : nil
        findings = alert.findings
        reopened = alert.reopened
        by = alert.by
        comment = alert.comment
        mute = alert.mute
        raisedBecause = alert.raisedBecause
        evidence = alert.evidence
    }
}

/// What a sink is told, in JSON: one line.
package struct AlertNoticeRecord: Codable, Hashable, Sendable {
    /// Counts up on this host; who is told twice knows it by this.
    package var number: Int
    package var kind: AlertNotice.Kind
    package var time: String
    /// The host's name.
    package var host: String
    package var alert: AlertRecord

    package init(_ notice: AlertNotice, host: String, time: (UInt64) -> String) {
        number = notice.number
        kind = notice.kind
        self.time = time(notice.time)
        self.host = host
        alert = AlertRecord(notice.alert, time: time)
    }
}
