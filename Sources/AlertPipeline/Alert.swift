// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
package import NetworkModel

/// All findings of one detector about the same source, target and port, as one thing to look at.
package struct Alert: Hashable, Sendable, Codable {
    package enum State: String, Hashable, Sendable, Codable, CaseIterable {
        case open
        /// Somebody looks after it: it is announced again only if it gets worse.
        case acknowledged
        /// Nothing for a while, or closed by hand.
        case closed
    }

    /// What the sinks were told last.
    package struct Announcement: Hashable, Sendable, Codable {
        package var state: State
        package var severity: Severity
        package var time: UInt64
    }

    /// Never given out twice.
    package let id: Int
    package var incident: Int
    package let detector: String
    /// At least the detector's own; raised by what else its incident holds.
    package var severity: Severity
    package let source: IPAddress?
    package var sourceLength: UInt8
    package let target: IPAddress?
    package let port: UInt16
    /// Number of the IP protocol.
    package var ipProtocol: UInt8?
    /// True if any finding said so: nothing is done to `source` then.
    package var isSourceForgeable: Bool
    package var technique: String
    package var summary: String
    /// Names of the workloads behind `source` and `target`, if they are any.
    package var sourceName: String?
    package var targetName: String?
    /// Nanoseconds since 1970: since when it goes on, as the detector says; last finding.
    package var since: UInt64
    package var lastSeen: UInt64
    /// How often it was found.
    package var findings: Int
    /// How often it came back after it was over.
    package var reopened: Int
    package var state: State
    package var stateSince: UInt64
    /// Who acknowledged or closed it, and what they wrote.
    package var by: String?
    package var comment: String?
    /// The mute that keeps it silent.
    package var mute: Int?
    package var evidence: [AlertEvidence]
    /// Why its severity is more than the detector's.
    package var raisedBecause: [String]
    package var announced: Announcement?

    package var key: Finding.Key { Finding.Key(detector: detector, source: source, target: target, port: port) }

    /// The source as a prefix; nil without a source.
    package var sourcePrefix: CIDR? { source.map { CIDR($0, significantBits: sourceLength) } }
}

extension Alert {
    init(id: Int, incident: Int, _ finding: Finding, now: UInt64) {
        self.id = id
        self.incident = incident
        detector = AlertEvidence.cut(finding.detector)
        severity = finding.severity
        source = finding.source
        sourceLength = finding.sourceLength
        target = finding.target
        port = finding.port
        ipProtocol = finding.ipProtocol?.rawValue
        isSourceForgeable = finding.isSourceForgeable
        technique = AlertEvidence.cut(finding.technique)
        summary = AlertEvidence.cut(finding.summary)
        since = min(finding.since, now)
        lastSeen = now
        findings = 0
        reopened = 0
        state = .open
        stateSince = now
        evidence = []
        raisedBecause = []
    }

    /// Takes in that another detector has found the same, and says less of it.
    mutating func goOn(now: UInt64) {
        findings += 1
        lastSeen = max(lastSeen, now)
    }

    /// Takes one more finding in.
    mutating func add(_ finding: Finding, now: UInt64) {
        findings += 1
        lastSeen = max(lastSeen, now)
        since = min(since, finding.since)
        severity = max(severity, finding.severity)
        isSourceForgeable = isSourceForgeable || finding.isSourceForgeable
        summary = AlertEvidence.cut(finding.summary)
        evidence.merge(finding.evidence)
    }
}

extension CIDR {
    /// A prefix by a finding's count of bits, in which 0, and what is out of range, means the whole address.
    package init(_ address: IPAddress, significantBits bits: UInt8) {
        let whole = address.isIPv4 ? 32 : 128
        self.init(address, length: bits == 0 || Int(bits) > whole ? whole : Int(bits))
    }
}
