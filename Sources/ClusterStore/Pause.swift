// SPDX-License-Identifier: Apache-2.0

/// How long to wait before the next attempt: doubled each time, with jitter, so that nodes that lost one store do not come back
/// together.
struct Pause: Sendable {
    static let shortest = 0.1
    static let longest = 5.0

    private var next = Pause.shortest

    /// `random`: in 0..<1.
    mutating func wait(random: Double = Double.random(in: 0..<1)) -> Duration {
        defer { next = min(next * 2, Pause.longest) }
        return .seconds(next * (0.5 + random))
    }

    /// After a success.
    mutating func reset() { next = Pause.shortest }
}
