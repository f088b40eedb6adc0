// SPDX-License-Identifier: Apache-2.0

package import EventModel

/// Totals of the flow path since the agent started.
package struct FlowCounters: Hashable, Sendable {
    /// Events taken from the kernel.
    package var taken: UInt64 = 0
    /// Flows now in memory.
    package var held = 0
    package var followers = 0
    /// Deliveries that did not happen because a follower was too slow.
    package var lostByFollowers: UInt64 = 0
    /// Ring-buffer records of an unknown kind or version.
    package var undecodable: UInt64 = 0
    /// Events by verdict, indexed by raw value.
    package var verdicts: [UInt64] = Array(repeating: 0, count: 5)

    /// Nothing counted yet.
    package init() {}

    mutating func count(_ event: FlowEvent) {
        verdicts[Int(event.verdict.rawValue)] += 1
    }

    /// Events with that verdict.
    package func events(_ verdict: Verdict) -> UInt64 { verdicts[Int(verdict.rawValue)] }
}
