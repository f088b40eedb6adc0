// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
package import NetworkModel

/// What may be done, by whom it is found; times in nanoseconds.
package struct ResponseSettings: Hashable, Sendable {
    package enum Mode: String, Hashable, Sendable, Codable, CaseIterable {
        case off
        /// Decide and write down, do nothing.
        case dryRun = "dry-run"
        case on
    }

    /// What one detector may lead to.
    package struct Rule: Hashable, Sendable {
        package var mode: Mode
        /// Nil: what fits the finding, but never quarantine.
        package var kinds: Set<ResponseAction.Kind>?
        /// Also blocks who has not shown that answers reach it: whoever forges its address can then have it blocked.
        package var blocksUnproven: Bool
        /// Who is blocked is so on failsafe ports too, where guessers of passwords mostly are.
        package var closesFailsafes: Bool

        package init(
            mode: Mode, kinds: Set<ResponseAction.Kind>? = nil, blocksUnproven: Bool = false,
            closesFailsafes: Bool = false
        ) {
            self.mode = mode
            self.kinds = kinds
            self.blocksUnproven = blocksUnproven
            self.closesFailsafes = closesFailsafes
        }
    }

    /// Of detectors without a rule.
    package var mode = Mode.dryRun
    package var rules: [String: Rule] = [:]
    /// Less severe alerts are not answered.
    package var severity = Severity.medium
    package var blockTime: UInt64 = 600 * ResponseSettings.second
    package var blockTimeMax: UInt64 = 86_400 * ResponseSettings.second
    /// Each time again it is so many times as long.
    package var growth: UInt64 = 4
    /// What is longer ago does not count as a time before.
    package var memoryTime: UInt64 = 7 * 86_400 * ResponseSettings.second
    /// Of rate limits and SYN defence.
    package var limitTime: UInt64 = 600 * ResponseSettings.second
    package var quarantineTime: UInt64 = 3600 * ResponseSettings.second
    /// Who was let off by hand is left alone so long.
    package var pardonTime: UInt64 = 3600 * ResponseSettings.second
    /// Blocks at once, and new actions within a minute, at most.
    package var blocksMax = 1024
    package var perMinute = 30
    /// Quarantines at once: one finding too many must not cut off a whole host.
    package var quarantinesMax = 4
    /// Never blocked, nor any network around or within them.
    package var protected: [CIDR] = []

    package static let second: UInt64 = 1_000_000_000

    package init() {}

    package func rule(for detector: String) -> Rule { rules[detector] ?? Rule(mode: mode) }

    /// True if a finding of one of these detectors may bring the defence of a listener into force.
    package func mayDefend(_ detectors: some Sequence<String>) -> Bool {
        detectors.contains { detector in
            let rule = rule(for: detector)
            return ResponsePlan.wantsCookies(detector) && rule.mode == .on && rule.kinds?.contains(.synDefence) ?? true
        }
    }
}
