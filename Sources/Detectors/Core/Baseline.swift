// SPDX-License-Identifier: Apache-2.0

/// What is usual: exponential averages of a value and of its absolute deviation, one step a window.
///
/// As TCP estimates its retransmission time (Jacobson 1988, RFC 6298), with the plain mean while it warms up. Values far above
/// are cut before they are learnt (winsorised): a rise teaches slowly. Windows without a report count as zero.
struct Baseline: Sendable, Hashable {
    private(set) var mean = 0.0
    private(set) var deviation = 0.0
    /// Windows learnt, silent ones included.
    private(set) var windows: UInt64 = 0
    private var last: UInt64?

    init() {}

    /// Goes on with what was learnt before a pause of unknown length.
    init(mean: Double, deviation: Double, windows: UInt64) {
        self.mean = mean
        self.deviation = deviation
        self.windows = windows
    }

    /// Learns the window that began at `since`; `window` is its length, `memory` the number of windows it forgets over.
    mutating func learn(_ value: Double, since: UInt64, window: UInt64, memory: Double) {
        if let last {
            let missing = last.distance(before: since) / window
            if missing > 1 { learnSilence(missing - 1, memory: memory) }
        }
        last = max(last ?? 0, since)
        let weight = max(1 / memory, 1 / Double(windows + 1))
        let cut = windows >= 16 ? min(value, mean + 4 * deviation + max(1, mean / 4)) : value
        deviation += weight * (abs(cut - mean) - deviation)
        mean += weight * (cut - mean)
        windows += 1
    }

    /// Moves over windows whose values are not to be learnt.
    mutating func skip(to since: UInt64) { last = max(last ?? 0, since) }

    private mutating func learnSilence(_ count: UInt64, memory: Double) {
        // Past a few memories there is nothing left to forget.
        let steps = min(count, UInt64(memory * 8))
        var kept = 1.0
        for _ in 0..<steps { kept *= 1 - 1 / memory }
        deviation = kept * deviation + (1 - kept) * kept * mean
        mean *= kept
        windows += count
    }

    /// What is still usual.
    func upper(_ deviations: Double) -> Double { mean + deviations * deviation }
}
