// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// One request as tests look at it.
package struct RecordedRequest: Sendable {
    package var verb: Verb
    /// Nil for anything but resources.
    package var resource: ResourceName?
    package var method: String
    /// Path and query as sent.
    package var uri: String
    /// Header names in lower case.
    package var headers: [String: String]
    package var user: String
    /// HTTP status of the answer; 0 if there was none.
    package var code: Int
    /// When the answer began.
    package var time: ContinuousClock.Instant
}

/// What the server was asked and answered.
package final class Counters: Sendable {
    private struct State {
        var requests: [RecordedRequest] = []
        var total = 0
        var openWatches: [ResourceName: Int] = [:]
        var openConnections = 0
        var connections = 0
    }

    private let state = Mutex(State())
    private let limit = 20_000

    /// The latest requests, oldest first.
    package var requests: [RecordedRequest] { state.withLock { $0.requests } }

    /// All requests since the start.
    package var total: Int { state.withLock { $0.total } }

    /// Connections open now.
    package var openConnections: Int { state.withLock { $0.openConnections } }

    /// Connections accepted since the start.
    package var connections: Int { state.withLock { $0.connections } }

    /// Watches open now, of one resource or of all.
    package func openWatches(of resource: ResourceName? = nil) -> Int {
        state.withLock { state in
            if let resource { return state.openWatches[resource] ?? 0 }
            return state.openWatches.values.reduce(0, +)
        }
    }

    /// The recorded requests of a verb, resource and status, each if given, in order.
    package func requests(_ verb: Verb? = nil, _ resource: ResourceName? = nil, code: Int? = nil) -> [RecordedRequest] {
        requests.filter {
            (verb == nil || $0.verb == verb) && (resource == nil || $0.resource == resource)
                && (code == nil || $0.code == code)
        }
    }

    /// Forgets the recorded requests.
    package func reset() { state.withLock { $0.requests = [] } }

    func record(_ request: RecordedRequest) {
        state.withLock { state in
            state.total += 1
            state.requests.append(request)
            if state.requests.count > limit { state.requests.removeFirst(limit / 2) }
        }
    }

    func watch(_ resource: ResourceName, opened: Bool) {
        state.withLock { $0.openWatches[resource, default: 0] += opened ? 1 : -1 }
    }

    func connection(opened: Bool) {
        state.withLock { state in
            state.openConnections += opened ? 1 : -1
            if opened { state.connections += 1 }
        }
    }
}
