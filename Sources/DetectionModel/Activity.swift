// SPDX-License-Identifier: Apache-2.0

/// One report of a sensor: a record that grew past the next level, or whose window ended.
package enum Activity: Hashable, Sendable {
    case source(SourceActivity)
    case target(TargetActivity)
    case pair(PairActivity)
    case zone(ZoneActivity)

    /// When it was reported, nanoseconds of the sensors' clock.
    package var time: UInt64 {
        switch self {
        case .source(let activity): activity.time
        case .target(let activity): activity.time
        case .pair(let activity): activity.time
        case .zone(let activity): activity.time
        }
    }
}
