// SPDX-License-Identifier: Apache-2.0

import ClusterSchema
import EtcdProtocol
import FoundationEssentials
import Synchronization

/// What a watch says.
enum WatchStep: Hashable, Sendable {
    /// The member watches; nothing came yet.
    case begun
    /// All that changed at some revisions, the last of which is told.
    case events([StoreEvent], revision: Int64)
}

extension EtcdClient {
    /// Follows everything below a prefix from a revision on.
    ///
    /// Ends by throwing only: `compacted` if the store has forgotten it.
    func watch(
        _ prefix: String, from revision: Int64, silenceLimit: Duration,
        _ body: @Sendable @escaping (WatchStep) async -> Void
    ) async throws {
        var create = Etcdserverpb_WatchCreateRequest()
        create.key = Data(prefix.utf8)
        create.rangeEnd = EtcdClient.end(of: prefix)
        create.startRevision = revision
        create.progressNotify = true
        create.fragment = true
        var request = Etcdserverpb_WatchRequest()
        request.createRequest = create
        try await follow("Watch/Watch", requiresLeader: true) { [request] stream in
            let pulse = Pulse()
            try await stream.send(request)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await EtcdClient.read(stream, from: revision, pulse, body)
                    throw StoreError(.unavailable, "it ended the watch")
                }
                group.addTask { try await EtcdClient.listen(stream, silenceLimit, pulse) }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }

    private static func read(
        _ stream: GRPCStream, from revision: Int64, _ pulse: Pulse, _ body: (WatchStep) async -> Void
    ) async throws {
        var assembly = WatchAssembly(from: revision)
        try await stream.forEach(Etcdserverpb_WatchResponse.self) { response in
            pulse.note()
            if let step = try assembly.take(response) { await body(step) }
            return true
        }
    }

    /// A watch has nothing to say when nothing happens: so it is asked whether it is there.
    private static func listen(_ stream: GRPCStream, _ limit: Duration, _ pulse: Pulse) async throws {
        var request = Etcdserverpb_WatchRequest()
        request.progressRequest = Etcdserverpb_WatchProgressRequest()
        while true {
            try await Task.sleep(for: limit / 3)
            guard pulse.age < limit else {
                throw StoreError(.unavailable, "it fell silent")
            }
            try await stream.send(request)
        }
    }
}

/// When a member was heard last.
private final class Pulse: Sendable {
    private let last = Mutex(ContinuousClock.now)

    var age: Duration { ContinuousClock.now - last.withLock { $0 } }

    func note() { last.withLock { $0 = .now } }
}

/// Puts together what a member sends in pieces; pure.
struct WatchAssembly: Sendable {
    /// A burst that is longer is no burst of a cluster's.
    static let eventsMax = 2_000_000
    private var pieces: [StoreEvent] = []
    /// The first revision that is of interest.
    private let start: Int64

    init(from start: Int64 = 0) { self.start = start }

    /// Nil: nothing new, or not all of it.
    mutating func take(_ response: Etcdserverpb_WatchResponse) throws(StoreError) -> WatchStep? {
        if response.compactRevision > 0 {
            throw StoreError(.compacted, "the store has forgotten what happened meanwhile")
        }
        if response.canceled {
            let reason = response.cancelReason
            // A watch that is refused says so here, not in the call's status.
            if reason.contains("permission denied") { throw StoreError.status(7, reason) }
            if reason.contains("invalid auth token") { throw StoreError.status(16, reason) }
            throw StoreError(.unavailable, "it ended the watch: \(reason.isEmpty ? "no reason" : reason)")
        }
        if response.created {
            // It would be silent until its revisions had caught up.
            guard response.header.revision >= start - 1 else {
                throw StoreError(.compacted, "the store is not as far as it was")
            }
            return .begun
        }
        pieces += response.events.map(StoreEvent.init)
        guard pieces.count <= WatchAssembly.eventsMax else {
            throw StoreError(.protocolViolation, "a member sends one change without end")
        }
        guard !response.fragment, !pieces.isEmpty else { return nil }
        defer { pieces = [] }
        let last = pieces.map(\.revision).max() ?? response.header.revision
        return .events(pieces, revision: last)
    }
}
