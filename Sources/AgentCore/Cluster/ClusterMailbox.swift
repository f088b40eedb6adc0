// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import Synchronization

/// Collects what a feed says while the agent is busy: a burst of changes becomes one transaction.
final class ClusterMailbox: Sendable {
    /// What is to be taken over, in this order.
    struct Letters: Sendable {
        var status: ClusterFeedStatus?
        var snapshot: ClusterContent?
        var delta = ClusterDelta()

        var isEmpty: Bool { status == nil && snapshot == nil && delta.isEmpty }

        mutating func add(_ change: ClusterChange) {
            switch change {
            case .status(let new): status = new
            case .snapshot(let content): (snapshot, delta) = (content, ClusterDelta())
            case .delta(let new):
                delta.documents.merge(new.documents) { $1 }
                delta.workloads.merge(new.workloads) { $1 }
                delta.marks.merge(new.marks) { $1 }
            }
        }
    }

    private let letters = Mutex(Letters())
    private let wake: AsyncStream<Void>.Continuation
    private let woken: AsyncStream<Void>

    init() {
        // One pending wake-up stands for any number of letters.
        (woken, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func post(_ change: ClusterChange) {
        letters.withLock { $0.add(change) }
        wake.yield()
    }

    /// Hands out everything collected, round after round, until cancelled.
    func forEachRound(_ body: (Letters) async -> Void) async {
        for await _ in woken {
            let round = letters.withLock { letters in
                defer { letters = Letters() }
                return letters
            }
            if !round.isEmpty { await body(round) }
        }
    }
}
