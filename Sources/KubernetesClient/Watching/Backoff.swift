// SPDX-License-Identifier: Apache-2.0

/// How long to wait before the next attempt: doubled each time, with jitter, so that a thousand clients that lost one
/// server do not come back together.
struct Backoff: Sendable {
    static let shortest = 0.8
    static let longest = 30.0

    private var next = Backoff.shortest

    /// What to wait now.
    ///
    /// `random`: in 0..<1. `retryAfter`: what the server asks for, in seconds; no shorter is waited.
    mutating func wait(retryAfter: Double? = nil, random: Double = Double.random(in: 0..<1)) -> Duration {
        defer { next = min(next * 2, Backoff.longest) }
        let own = next * (0.5 + random)
        let asked = (retryAfter ?? 0) * (1 + 0.1 * random)
        return .seconds(min(max(own, asked), max(Backoff.longest * 1.5, asked)))
    }

    /// After a success.
    mutating func reset() { next = Backoff.shortest }
}
