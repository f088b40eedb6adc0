// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// The time of day, for what others write down in it: ends of credentials, times of Leases and Events.
///
/// Nothing is measured by it: it jumps.
package enum WallClock {
    /// Since 1970.
    package static func microseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }
}
