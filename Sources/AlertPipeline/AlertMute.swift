// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// Keeps alerts silent: they are kept and counted, but neither announced nor answered.
///
/// At least one of `detector`, `source` and `target` is set; all that are must fit.
package struct AlertMute: Hashable, Sendable, Codable {
    package var id: Int
    package var detector: String?
    package var source: CIDR?
    package var target: CIDR?
    /// Nanoseconds since 1970; nil: no end.
    package var until: UInt64?
    package var by: String?
    package var comment: String?
    /// From the configuration file: cannot be lifted otherwise.
    package var isConfigured: Bool

    package init(
        id: Int = 0, detector: String? = nil, source: CIDR? = nil, target: CIDR? = nil, until: UInt64? = nil,
        by: String? = nil, comment: String? = nil, isConfigured: Bool = false
    ) {
        self.id = id
        self.detector = detector
        self.source = source
        self.target = target
        self.until = until
        self.by = by
        self.comment = comment
        self.isConfigured = isConfigured
    }

    /// True if it names anything: a mute of everything would be an outage of the alarm.
    package var isNarrow: Bool { detector != nil || source != nil || target != nil }

    func isOver(_ now: UInt64) -> Bool { until.map { $0 <= now } ?? false }

    func covers(_ alert: Alert) -> Bool {
        guard isNarrow, detector == nil || detector == alert.detector else { return false }
        if let source {
            guard let prefix = alert.sourcePrefix, source.contains(prefix) else { return false }
        }
        if let target {
            guard let address = alert.target, target.contains(address) else { return false }
        }
        return true
    }
}
