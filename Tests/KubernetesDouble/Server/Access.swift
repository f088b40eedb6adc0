// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Synchronization

/// Who may speak to the server.
///
/// As long as nothing is set, everybody may.
package final class Access: Sendable {
    private struct State {
        var tokens: [String: (user: DoubleUser, end: Date)] = [:]
        var isOpen = true
    }

    private let state = Mutex(State())

    /// Lets those in who send one of these tokens, or a client certificate, and nobody else.
    package func require(tokens: [String: DoubleUser]) {
        state.withLock { state in
            state.isOpen = false
            state.tokens = tokens.mapValues { ($0, Date.distantFuture) }
        }
    }

    /// Lets those in who send this token, or a client certificate, and nobody else.
    package func require(token: String) { require(tokens: [token: DoubleUser("admin", groups: ["system:masters"])]) }

    /// Lets everybody in.
    package func open() { state.withLock { $0.isOpen = true } }

    /// Adds a token that is good for a time.
    func issue(_ token: String, to user: DoubleUser, seconds: Double) {
        state.withLock { $0.tokens[token] = (user, Date(timeIntervalSinceNow: seconds)) }
    }

    /// Who sent a request; nil if that is nobody who is known.
    func user(of request: APIRequest) -> DoubleUser? {
        if let user = request.certificateUser { return user }
        return state.withLock { state in
            let sent = request.headers["authorization"].flatMap { $0.hasPrefix("Bearer ") ? $0.dropFirst(7) : nil }
            if let sent, let known = state.tokens[String(sent)], known.end > Date() { return known.user }
            return state.isOpen ? .anonymous : nil
        }
    }
}
