// SPDX-License-Identifier: Apache-2.0

/// How findings become alerts; times in nanoseconds.
package struct AlertSettings: Hashable, Sendable {
    /// An alert without a finding for so long is over.
    ///
    /// Detectors repeat themselves each minute while something goes on.
    package var quietTime: UInt64 = 300 * AlertSettings.second
    /// What comes back so soon after it was over is the same alert again, not another one.
    package var reopenTime: UInt64 = 1800 * AlertSettings.second
    /// An open alert that goes on is announced again so often.
    package var repeatTime: UInt64 = 1800 * AlertSettings.second
    /// Findings about the same source or target this close together are one incident.
    package var incidentTime: UInt64 = 900 * AlertSettings.second
    /// Alerts that are over are kept so long.
    package var keepTime: UInt64 = 30 * 86_400 * AlertSettings.second
    /// Announcements within a minute at most, and at once; what is over waits, the worst first.
    package var noticesPerMinute = 60
    /// Alerts kept at most; at least 16.
    package var capacity = 4096
    /// Mutes at most.
    package var muteCapacity = 1024

    package static let second: UInt64 = 1_000_000_000

    package init() {}
}
