// SPDX-License-Identifier: Apache-2.0

import DetectionModel

/// Decides when something that goes on is said again: at once, when the evidence has doubled, and every minute.
struct Announcer: Sendable {
    private struct Episode: Remembered {
        var since: UInt64
        var touched: UInt64
        var said: UInt64
        var weight: Double
        var saidWeight: Double
    }

    /// After this pause it is another episode.
    static let calm: UInt64 = 120_000_000_000
    static let again: UInt64 = 60_000_000_000
    private static let soonest: UInt64 = 1_000_000_000

    private var episodes: BoundedTable<Finding.Key, Episode>

    init(capacity: Int = 1024) {
        episodes = BoundedTable(capacity: capacity, lifetime: Announcer.calm)
    }

    var forgotten: UInt64 { episodes.forgotten }

    /// The findings to be said: the one given, with the begin of its episode, or none.
    mutating func announce(_ finding: Finding, weight: Double) -> [Finding] {
        let time = finding.time
        var said = finding
        let isDue = episodes.update(
            finding.key, at: time,
            initial: { Episode(since: finding.since, touched: time, said: 0, weight: weight, saidWeight: -1) },
            { episode in
                let isOver =
                    episode.touched.distance(before: time) > Announcer.calm
                    || time.distance(before: episode.touched) > Announcer.calm
                if isOver {
                    episode = Episode(since: finding.since, touched: time, said: 0, weight: weight, saidWeight: -1)
                }
                episode.touched = time
                episode.weight = max(episode.weight, weight)
                said.since = min(episode.since, finding.since)
                let pause = episode.said.distance(before: time)
                let isFirst = episode.saidWeight < 0
                let isDoubled = weight >= 2 * episode.saidWeight && pause >= Announcer.soonest
                guard isFirst || isDoubled || pause >= Announcer.again else { return false }
                (episode.said, episode.saidWeight) = (time, weight)
                return true
            })
        return isDue ? [said] : []
    }
}
