// SPDX-License-Identifier: Apache-2.0

/// Carries requests over the agent's Unix socket.
package struct SocketTransport: APITransport {
    private let path: String

    package init(path: String) { self.path = path }

    package func send(_ request: OutgoingRequest) async throws -> APIResponse {
        throw ControlClientError.unreachable("no agent at \(path)")
    }
}
