// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Collects what must be looked at again while the consumer is busy: a burst of events becomes one round of work.
package final class DirtySet<Key: Hashable & Sendable>: Sendable {
    private struct State {
        var keys: Set<Key> = []
        var isFinished = false
    }
    private let state = Mutex(State())
    private let wake: AsyncStream<Void>.Continuation
    private let woken: AsyncStream<Void>

    /// An empty set.
    package init() {
        // One pending wake-up stands for any number of keys.
        (woken, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Adds what must be looked at.
    package func insert(_ keys: some Sequence<Key>) {
        state.withLock { $0.keys.formUnion(keys) }
        wake.yield()
    }

    /// Ends the rounds once what is in it has been handed out.
    package func finish() {
        state.withLock { $0.isFinished = true }
        wake.yield()
    }

    /// Hands out everything collected, round after round, until finished or cancelled.
    package func forEachRound(_ body: (Set<Key>) async throws -> Void) async throws {
        for await _ in woken {
            let (keys, isFinished) = state.withLock { state in
                defer { state.keys = [] }
                return (state.keys, state.isFinished)
            }
            if !keys.isEmpty { try await body(keys) }
            if isFinished { return }
        }
        try Task.checkCancellation()
    }
}
