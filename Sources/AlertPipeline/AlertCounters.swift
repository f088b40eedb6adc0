// SPDX-License-Identifier: Apache-2.0

/// What the pipeline did since it began; no loss is without a number here.
package struct AlertCounters: Hashable, Sendable, Codable {
    package var findings: UInt64 = 0
    package var alerts: UInt64 = 0
    package var incidents: UInt64 = 0
    /// Findings of muted alerts.
    package var muted: UInt64 = 0
    /// Announcements that had to wait for the limit.
    package var delayed: UInt64 = 0
    /// Alerts that went for want of room, and of these such as were not over, and such as were never announced.
    package var forgotten: UInt64 = 0
    package var forgottenOpen: UInt64 = 0
    package var forgottenUnannounced: UInt64 = 0
    /// Addresses whose incident is not known any more for want of room.
    package var forgottenAddresses: UInt64 = 0

    package init() {}
}

/// One line of the journal: what is to be put in place of what was there, or taken away.
package enum AlertChange: Hashable, Sendable {
    case alert(Alert)
    case incident(Incident)
    case mute(AlertMute)
    case forgotAlert(Int)
    case forgotIncident(Int)
    case forgotMute(Int)
    /// The next numbers to be given out.
    case numbers(AlertNumbers)
}

/// The next numbers to be given out.
package struct AlertNumbers: Hashable, Sendable, Codable {
    package var alert = 1
    package var incident = 1
    package var mute = 1
    package var notice = 1

    package init() {}
}

extension AlertChange: Codable {}

/// What the sinks are to be told.
package struct AlertNotice: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// New, or back after it was over.
        case opened
        /// Worse than announced.
        case raised
        /// Goes on.
        case continued
        case acknowledged
        case closed
    }

    /// Counts up; a sink that is told twice knows it by this.
    package var number: Int
    package var kind: Kind
    /// Nanoseconds since 1970.
    package var time: UInt64
    package var alert: Alert

    package init(number: Int, kind: Kind, time: UInt64, alert: Alert) {
        self.number = number
        self.kind = kind
        self.time = time
        self.alert = alert
    }
}
