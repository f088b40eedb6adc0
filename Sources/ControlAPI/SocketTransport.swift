// SPDX-License-Identifier: Apache-2.0

import LocalHTTP

/// Carries requests over the agent's Unix socket.
package struct SocketTransport: APITransport {
    private let client: LocalHTTPClient

    /// `timeout`: until the head of an answer is there; a large compilation may take some seconds.
    package init(path: String, timeout: Duration = .seconds(60)) {
        client = LocalHTTPClient(socketPath: path, timeout: timeout)
    }

    package func send(_ request: OutgoingRequest) async throws -> APIResponse {
        let target = PercentCoding.target(path: request.path, query: request.query)
        do {
            let answer = try await client.open(request.method.rawValue, target, body: request.body)
            let chunks = answer.chunks
            let stream = AsyncStream<[UInt8]> { continuation in
                let task = Task {
                    // A connection that breaks ends the stream: the agent has gone.
                    do { for try await chunk in chunks { continuation.yield(chunk) } } catch {}
                    continuation.finish()
                }
                continuation.onTermination = { _ in task.cancel() }
            }
            return APIResponse(status: answer.status, contentType: "", body: .stream(stream))
        } catch let error as LocalHTTPError {
            throw SocketTransport.clientError(error)
        }
    }

    private static func clientError(_ error: LocalHTTPError) -> ControlClientError {
        switch error.code {
        case .absent:
            .unreachable(
                "no agent answers on \(error.socketPath): start bulkhead-agent, or name its socket with --socket")
        case .forbidden:
            .forbidden("no right to open \(error.socketPath): run as root or as a member of the agent's `apiGroup`")
        default: .unreachable(error.description)
        }
    }
}
