// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// Who guesses at a service, and who uses it, within ten minutes: for guessing that many sources share.
struct GuessingCrowds: Sendable {
    private struct Service: Hashable {
        var server: IPAddress
        var port: UInt16
    }

    private struct Crowd: Remembered {
        var touched: UInt64
        var weight: Double { Double(members.count) }
        /// When each was last seen, and whether it guessed then.
        var members: [IPAddress: (seen: UInt64, isGuess: Bool)] = [:]
    }

    private static let window: UInt64 = 600_000_000_000
    private static let membersMax = 256
    private var crowds = BoundedTable<Service, Crowd>(capacity: 256, lifetime: window)

    var forgotten: UInt64 { crowds.forgotten }

    /// Takes a client in; the counts of clients that guess and that do not, and since when.
    @discardableResult mutating func note(
        _ pair: PairActivity, isGuess: Bool
    ) -> (guessing: Int, others: Int, since: UInt64) {
        let service = Service(server: pair.server, port: pair.port)
        return crowds.update(service, at: pair.time, initial: { Crowd(touched: pair.time) }) { crowd in
            crowd.touched = pair.time
            crowd.members = crowd.members.filter { $0.value.seen.distance(before: pair.time) < GuessingCrowds.window }
            if crowd.members[pair.client] != nil || crowd.members.count < GuessingCrowds.membersMax {
                crowd.members[pair.client] = (pair.time, isGuess)
            }
            let guessing = crowd.members.values.filter(\.isGuess)
            return (
                guessing.count, crowd.members.count - guessing.count, guessing.map(\.seen).min() ?? pair.time
            )
        }
    }
}
