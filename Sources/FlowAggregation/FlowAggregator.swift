// SPDX-License-Identifier: Apache-2.0

package import EventModel
import Synchronization

/// Keeps recent flows, counts them and hands them to followers.
///
/// Safe to use from any thread.
///
/// One writer (the ring-buffer reader's thread) and few readers; the lock is taken once for a batch.
package final class FlowAggregator: Sendable {
    private let state: Mutex<State>

    /// Keeps the last `capacity` flows in memory (about 250 bytes each).
    package init(capacity: Int) {
        state = Mutex(State(ring: FlowRing(capacity: capacity)))
    }

    /// Replaces the name tables for the flows that follow.
    package func setNames(_ names: FlowNames) {
        state.withLock { state in
            var names = names
            names.keepFeeds(of: state.names)
            state.names = names
        }
    }

    /// Names the shield's feeds, for good.
    package func setFeedNames(_ feeds: [RuleName]) { state.withLock { $0.names.setFeeds(feeds) } }

    /// Changes the name tables, in place, for the flows that follow.
    package func updateNames(_ change: (inout FlowNames) -> Void) {
        state.withLock { change(&$0.names) }
    }

    /// The name tables as they are.
    package var names: FlowNames { state.withLock { $0.names } }

    /// Takes a batch of decoded events.
    ///
    /// `wallClockOffset`: nanoseconds from CLOCK_MONOTONIC to the time since 1970.
    package func consume(_ events: some Sequence<FlowEvent>, wallClockOffset: Int64) {
        state.withLock { state in
            for event in events { state.take(event, wallClockOffset: wallClockOffset) }
        }
    }

    /// Counts ring-buffer records that could not be decoded.
    package func countUndecodable(_ records: UInt64) {
        state.withLock { $0.counters.undecodable += records }
    }

    /// The newest `limit` flows that match, oldest first.
    package func last(_ limit: Int, matching filter: FlowFilter = FlowFilter()) -> [Flow] {
        state.withLock { $0.ring.last(limit, matching: filter) }
    }

    /// Totals since the agent started.
    package var counters: FlowCounters {
        state.withLock { state in
            var counters = state.counters
            counters.taken = state.sequence
            counters.held = state.ring.count
            counters.followers = state.followers.count
            return counters
        }
    }

    /// Starts following: the last `limit` matching flows, then every new one, with none in between missing.
    ///
    /// A follower that falls more than `bufferSize` flows behind loses the newest ones; each is counted in the
    /// follower's and the aggregator's counters. Ends when the returned follower is cancelled or released.
    ///
    /// `isWanted`: asked for each flow that matches, with the lock held: it must be quick, and not call back.
    package func follow(
        last limit: Int = 0, matching filter: FlowFilter = FlowFilter(), bufferSize: Int = 8192,
        where isWanted: (@Sendable (Flow) -> Bool)? = nil
    ) -> FlowFollower {
        let (stream, continuation) = AsyncStream<Flow>.makeStream(bufferingPolicy: .bufferingOldest(bufferSize))
        let id = state.withLock { state in
            state.lastFollower += 1
            for flow in state.ring.last(min(limit, bufferSize), matching: filter) where isWanted?(flow) ?? true {
                continuation.yield(flow)
            }
            state.followers[state.lastFollower] = State.Follower(
                filter: filter, isWanted: isWanted, continuation: continuation)
            return state.lastFollower
        }
        continuation.onTermination = { [weak self] _ in self?.endFollowing(id) }
        return FlowFollower(flows: stream, id: id, aggregator: self)
    }

    /// Flows that follower `id` has lost so far.
    func lost(_ id: Int) -> UInt64 { state.withLock { $0.followers[id]?.lost ?? 0 } }

    func endFollowing(_ id: Int) {
        // Taken out under the lock, finished outside it: finishing calls back into `endFollowing`.
        let follower = state.withLock { $0.followers.removeValue(forKey: id) }
        follower?.continuation.finish()
    }

    /// Ends every follower's stream; used when the agent stops.
    package func endAllFollowers() {
        let ids = state.withLock { Array($0.followers.keys) }
        for id in ids { endFollowing(id) }
    }
}

extension FlowAggregator {
    struct State: Sendable {
        struct Follower: Sendable {
            let filter: FlowFilter
            let isWanted: (@Sendable (Flow) -> Bool)?
            let continuation: AsyncStream<Flow>.Continuation
            var lost: UInt64 = 0
        }

        var ring: FlowRing
        var names = FlowNames()
        var sequence: UInt64 = 0
        var counters = FlowCounters()
        var followers: [Int: Follower] = [:]
        var lastFollower = 0

        init(ring: FlowRing) { self.ring = ring }

        mutating func take(_ event: FlowEvent, wallClockOffset: Int64) {
            sequence += 1
            let time = Int64(truncatingIfNeeded: event.timestamp) &+ wallClockOffset
            let flow = Flow(event, sequence: sequence, time: time, names: names)
            counters.count(event)
            ring.append(flow)
            if !followers.isEmpty { deliver(flow) }
        }

        private mutating func deliver(_ flow: Flow) {
            for (id, follower) in followers where follower.filter.matches(flow) && follower.isWanted?(flow) ?? true {
                if case .dropped = follower.continuation.yield(flow) {
                    followers[id]?.lost += 1
                    counters.lostByFollowers += 1
                }
            }
        }
    }
}
