// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import Synchronization

/// The feed's state, put together from what its parts say; told when it is another one.
final class StatusBoard: Sendable {
    private struct State {
        var isConnected = false
        var message = "connecting to the store"
        var unreadable: [String: String] = [:]
        var registration: String?
        var unpublished: [String: String] = [:]
        var told: ClusterFeedStatus?
    }

    private let state = Mutex(State())
    private let tell: @Sendable (ClusterFeedStatus) -> Void

    init(tell: @Sendable @escaping (ClusterFeedStatus) -> Void) { self.tell = tell }

    func note(isConnected: Bool, _ message: String) {
        update {
            $0.isConnected = isConnected
            $0.message = message
        }
    }

    /// Keys that cannot be read.
    func note(unreadable: [String: String]) { update { $0.unreadable = unreadable } }

    /// Why other nodes do not see this one as it is; nil: they do.
    func note(registration: String?) { update { $0.registration = registration } }

    func note(unpublished: [String: String]) { update { $0.unpublished = unpublished } }

    // Told under the lock, so that an older state never follows a newer one.
    private func update(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            var problems = state.unreadable.merging(state.unpublished) { $1 }
            problems["registration"] = state.registration
            let status = ClusterFeedStatus(
                isConnected: state.isConnected, message: state.message, problems: problems)
            guard status != state.told else { return }
            state.told = status
            tell(status)
        }
    }
}
