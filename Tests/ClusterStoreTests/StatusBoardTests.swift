// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import Synchronization
import Testing

@testable import ClusterStore

@Suite struct StatusBoardTests {
    @Test func `a state is told once, and all that is wrong together`() {
        let told = Told()
        let board = StatusBoard { told.add($0) }
        board.note(isConnected: true, "connected")
        board.note(isConnected: true, "connected")
        board.note(unreadable: ["k": "left"])
        board.note(registration: "refused")
        board.note(registration: nil)
        #expect(told.all.map(\.isConnected) == [true, true, true, true])
        #expect(
            told.all.map(\.problems) == [[:], ["k": "left"], ["k": "left", "registration": "refused"], ["k": "left"]])
    }
}

private final class Told: Sendable {
    private let statuses = Mutex<[ClusterFeedStatus]>([])

    var all: [ClusterFeedStatus] { statuses.withLock { $0 } }

    func add(_ status: ClusterFeedStatus) { statuses.withLock { $0.append(status) } }
}
