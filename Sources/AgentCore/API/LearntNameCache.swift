// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import NetworkModel
import Synchronization

/// What DNS calls addresses outside, for those who look at flows.
///
/// The kernel's table is by name and may be large. It is read again for an address that is not known, and now and then, but
/// so seldom that reading takes a twentieth of the time at most.
final class LearntNameCache: Sendable {
    private struct Key: Hashable {
        var endpoint: UInt16
        var address: IPAddress
    }

    private struct State {
        var names: [Key: [DomainName]] = [:]
        var readAt: ContinuousClock.Instant?
        var cost: Duration = .zero
    }

    private let state = Mutex(State())
    private let read: @Sendable () throws -> [LearntName]

    init(read: @escaping @Sendable () throws -> [LearntName]) { self.read = read }

    /// The names by which an endpoint was told an address, also if their time is over; sorted.
    func names(of address: IPAddress, for endpoint: UInt16, now: ContinuousClock.Instant = .now) -> [DomainName] {
        let key = Key(endpoint: endpoint, address: address)
        return state.withLock { state in
            let known = state.names[key]
            let age = state.readAt.map { now - $0 }
            let lifetime = max(known == nil ? .seconds(1) : .seconds(10), state.cost * 20)
            guard age.map({ $0 > lifetime }) ?? true else { return known ?? [] }
            refresh(&state, now)
            return state.names[key] ?? []
        }
    }

    private func refresh(_ state: inout State, _ now: ContinuousClock.Instant) {
        state.readAt = now
        let start = ContinuousClock.now
        // Flows are shown without names if the table cannot be read; `fqdn list` says why.
        guard let learnt = try? read() else { return }
        var names: [Key: Set<DomainName>] = [:]
        for answer in learnt {
            for entry in answer.addresses {
                names[Key(endpoint: answer.endpoint, address: entry.address), default: []].insert(answer.name)
            }
        }
        state.names = names.mapValues { $0.sorted() }
        state.cost = .now - start
    }
}
