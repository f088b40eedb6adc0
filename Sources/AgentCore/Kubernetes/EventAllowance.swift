// SPDX-License-Identifier: Apache-2.0

/// How many Events may be written: some at once, then one every so often.
///
/// Pure; times are since any moment.
struct EventAllowance: Hashable, Sendable {
    private let burst: Int
    /// Until one more may be written.
    var interval: Duration
    private var left: Int
    /// When what was left is as said.
    private var at: Duration?

    init(burst: Int, every interval: Duration) {
        (self.burst, self.interval) = (burst, interval)
        left = burst
    }

    /// Takes one, if there is one.
    mutating func take(now: Duration) -> Bool {
        refill(now)
        guard left > 0 else { return false }
        left -= 1
        return true
    }

    /// Whether there is one.
    mutating func hasAny(now: Duration) -> Bool {
        refill(now)
        return left > 0
    }

    /// True if nothing was taken for so long that it is as at the beginning.
    mutating func isFull(now: Duration) -> Bool {
        refill(now)
        return left == burst
    }

    private mutating func refill(_ now: Duration) {
        guard let since = at, left < burst else { return at = now }
        let gained = Int((now - since) / interval)
        guard gained > 0 else { return }
        left = min(burst, left + gained)
        at = left == burst ? now : since + interval * gained
    }
}
