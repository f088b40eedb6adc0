// SPDX-License-Identifier: Apache-2.0

package import AlertPipeline

extension ControlClient {
    package func alerts(_ query: AlertQuery) async throws -> AlertList {
        try await call(.get, ["alerts"], query: query.items)
    }

    package func alert(_ id: Int) async throws -> AlertRecord { try await call(.get, ["alerts", "\(id)"]) }

    package func incidents() async throws -> [IncidentRecord] { try await call(.get, ["alerts", "incidents"]) }

    package func acknowledge(_ request: AlertChangeRequest) async throws -> AlertList {
        try await call(.post, ["alerts", "ack"], body: APICoding.encode(request))
    }

    package func closeAlerts(_ request: AlertChangeRequest) async throws -> AlertList {
        try await call(.post, ["alerts", "close"], body: APICoding.encode(request))
    }

    package func mutes() async throws -> [MuteRecord] { try await call(.get, ["alerts", "mutes"]) }

    package func mute(_ request: MuteRequest) async throws -> MuteRecord {
        try await call(.post, ["alerts", "mutes"], body: APICoding.encode(request))
    }

    package func unmute(_ id: Int) async throws -> [MuteRecord] {
        try await call(.delete, ["alerts", "mutes", "\(id)"])
    }

    package func responses(isWhole: Bool) async throws -> ResponseReport {
        try await call(.get, ["response"], query: isWhole ? [("all", "true")] : [])
    }

    package func undoResponses(_ request: UndoRequest) async throws -> ResponseReport {
        try await call(.post, ["response", "undo"], body: APICoding.encode(request))
    }

    /// Hands over each notice, as a line of JSON, until the stream ends or `body` returns false.
    package func watchAlerts(_ body: ([UInt8]) throws -> Bool) async throws {
        try await lines(["alerts", "watch"], body)
    }
}
