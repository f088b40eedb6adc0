// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterSchema
import NetworkModel
import Synchronization

/// Where those meet who know what is to be published, what the store holds, and who writes.
final class PublicationDesk: Sendable {
    private struct State {
        var publication: Publication
        /// The node's own key: what the store said of it last.
        var registration: StoreEntry?
        var registrationRevision: Int64 = 0
        /// Of the host; nil: not told yet.
        var addresses: [IPAddress]?
    }

    private let key: String
    private let state: Mutex<State>
    private let writer = Mutex<AsyncStream<Void>.Continuation?>(nil)

    init(layout: StoreLayout, node: String) throws(StoreError) {
        guard let key = layout.text(.node(node)) else {
            throw StoreError(.refused, "'\(node)' is too long or empty for the name of a node")
        }
        self.key = key
        state = Mutex(State(publication: Publication(layout: layout, node: node)))
    }

    /// For who writes from now on: one round at once, then one for any number of changes.
    ///
    /// A stream ends with the task that reads it: each writer has its own.
    func rounds() -> AsyncStream<Void> {
        let (rounds, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        writer.withLock { $0 = continuation }
        continuation.yield()
        return rounds
    }

    private func wake() { writer.withLock { _ = $0?.yield() } }

    func tell(_ workloads: [String: ClusterWorkload]) -> [String: String] {
        defer { wake() }
        return state.withLock {
            $0.publication.tell(workloads)
            return $0.publication.problems
        }
    }

    func tell(addresses: [IPAddress]) {
        state.withLock { $0.addresses = addresses }
        wake()
    }

    /// Of the host itself; nil: not told yet.
    var addresses: [IPAddress]? { state.withLock { $0.addresses } }

    func replace(with entries: [StoreEntry]) {
        state.withLock { state in
            state.publication.replace(with: entries)
            state.registration = entries.first { $0.key == key }
        }
        wake()
    }

    func take(_ events: [StoreEvent]) {
        state.withLock { state in
            state.publication.take(events)
            for event in events where event.key == key && event.revision > state.registrationRevision {
                state.registrationRevision = event.revision
                if case .put(let entry) = event { state.registration = entry } else { state.registration = nil }
            }
        }
        wake()
    }

    /// The node's key was written by this node.
    func didRegister(_ value: [UInt8], revision: Int64, lease: Int64) {
        state.withLock { state in
            guard revision >= state.registrationRevision else { return }
            state.registrationRevision = revision
            state.registration = StoreEntry(key: key, value: value, revision: revision, lease: lease)
        }
    }

    /// False: somebody deleted the node's key, or wrote it.
    func isRegistered(lease: Int64) -> Bool { state.withLock { $0.registration?.lease == lease } }

    /// Looks at every key again, and at once.
    func reopen() {
        state.withLock { $0.publication.reopen() }
        wake()
    }

    /// What is to be written next; nil: nothing is known of the workloads yet.
    func next(lease: Int64) -> Publication.Batch? {
        state.withLock { $0.publication.isTold ? $0.publication.next(lease: lease) : nil }
    }

    func didWrite(_ batch: Publication.Batch, revision: Int64, lease: Int64) {
        state.withLock { $0.publication.didWrite(batch, revision: revision, lease: lease) }
    }
}
