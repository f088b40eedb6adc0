// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import NetworkModel
import Synchronization

/// Lets some denials through to those who make Events of them, and counts all others: a flood costs a counter.
///
/// Asked on the thread that reads events.
final class DenialGate: Sendable {
    private struct State {
        var left = DenialGate.flowsPerTick
        var shut: UInt64 = 0
    }

    /// Between two calls of `reopen`.
    static let flowsPerTick = 500
    private let state = Mutex(State())

    func isWanted(_ flow: Flow) -> Bool {
        guard flow.event.verdict == .deny, flow.endpoint != nil, !flow.event.destination.isForMany else { return false }
        return state.withLock { state in
            guard state.left > 0 else {
                state.shut += UInt64(max(1, flow.event.packets))
                return false
            }
            state.left -= 1
            return true
        }
    }

    /// Begins anew; returns how many packets were only counted.
    func reopen() -> UInt64 {
        state.withLock { state in
            defer { state = State() }
            return state.shut
        }
    }
}

extension IPAddress {
    /// A group, or everybody: hosts ask such for routers and names all the time, and nobody misses an answer.
    fileprivate var isForMany: Bool {
        isIPv4 ? v4Bits >> 28 == 0xe || v4Bits == .max : high >> 56 == 0xff
    }
}
