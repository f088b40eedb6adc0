// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// The open connections of a server and whether each has a request in work.
final class ConnectionRegistry: Sendable {
    private struct Entry {
        let channel: any Channel
        var task: Task<Void, Never>?
        var isBusy = false
    }
    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        var admission: ConnectionAdmission<ObjectIdentifier>
        var isStopping = false
    }

    private let limits: LocalHTTPServer.Limits
    private let state: Mutex<State>

    init(limits: LocalHTTPServer.Limits) {
        self.limits = limits
        state = Mutex(State(admission: ConnectionAdmission(limits: limits)))
    }

    var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }

    /// False if there is no room or the server stops; others may have to make way.
    func add(_ channel: any Channel, _ peer: PeerCredentials) -> Bool {
        let isPrivileged = limits.isPrivileged(peer)
        let (isAdmitted, evicted) = state.withLock { state -> (Bool, [any Channel]) in
            guard !state.isStopping else { return (false, []) }
            let (isAdmitted, evicted) = state.admission.admit(
                ObjectIdentifier(channel), userID: peer.userID, isPrivileged: isPrivileged, at: .now)
            if isAdmitted { state.entries[ObjectIdentifier(channel)] = Entry(channel: channel) }
            return (isAdmitted, evicted.compactMap { state.entries[$0]?.channel })
        }
        for channel in evicted { channel.close(promise: nil) }
        return isAdmitted
    }

    /// Notes who serves the connection, to be cancelled with it.
    ///
    /// The task may have ended already.
    func setTask(_ task: Task<Void, Never>, _ channel: any Channel) {
        state.withLock { $0.entries[ObjectIdentifier(channel)]?.task = task }
    }

    func remove(_ channel: any Channel) {
        state.withLock { state in
            state.entries[ObjectIdentifier(channel)] = nil
            state.admission.remove(ObjectIdentifier(channel))
        }
    }

    /// Notes that a complete request is being answered, or that it was: who waits may have to make way for others.
    func setAnswering(_ isAnswering: Bool, _ channel: any Channel) {
        state.withLock { $0.admission.setAnswering(isAnswering, ObjectIdentifier(channel), at: .now) }
    }

    /// Notes that a request starts or ends.
    /// - Returns: false if the server stops, so that no further request should be taken.
    func setBusy(_ isBusy: Bool, _ channel: any Channel) -> Bool {
        state.withLock { state in
            state.entries[ObjectIdentifier(channel)]?.isBusy = isBusy
            return !state.isStopping
        }
    }

    /// Closes the connections without a request; the others close after their answer.
    func stop() {
        let idle = state.withLock { state in
            state.isStopping = true
            return state.entries.values.filter { !$0.isBusy }.map(\.channel)
        }
        for channel in idle { channel.close(promise: nil) }
    }

    /// Closes all connections and cancels what their routes are doing.
    func closeAll() {
        let all = state.withLock { state in
            state.isStopping = true
            return Array(state.entries.values)
        }
        for entry in all {
            entry.task?.cancel()
            entry.channel.close(promise: nil)
        }
    }
}
