// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI

extension AgentState {
    func alerts(_ query: AlertQuery) async throws(APIError) -> AlertList { try await requireAlerts().list(query) }

    func alert(_ id: Int) async throws(APIError) -> AlertRecord { try await requireAlerts().alert(id) }

    func incidents() async throws(APIError) -> [IncidentRecord] { try await requireAlerts().incidents() }

    func watchAlerts() async throws(APIError) -> AsyncStream<[UInt8]> { try await requireAlerts().watch() }

    func acknowledge(_ request: AlertChangeRequest, by: String) async throws(APIError) -> AlertList {
        try await requireAlerts().acknowledge(request, by: by)
    }

    func closeAlerts(_ request: AlertChangeRequest, by: String) async throws(APIError) -> AlertList {
        try await requireAlerts().close(request, by: by)
    }

    func mutes() async throws(APIError) -> [MuteRecord] { try await requireAlerts().mutes() }

    func mute(_ request: MuteRequest, by: String) async throws(APIError) -> MuteRecord {
        try await requireAlerts().mute(request, by: by)
    }

    func unmute(_ id: Int) async throws(APIError) -> [MuteRecord] { try await requireAlerts().unmute(id) }

    func responses(isWhole: Bool) async throws(APIError) -> ResponseReport {
        try await requireResponses().report(isWhole: isWhole)
    }

    func undoResponses(_ request: UndoRequest, by: String) async throws(APIError) -> ResponseReport {
        try await requireResponses().undo(request, by: by)
    }

    private func requireAlerts() throws(APIError) -> AlertKeeper {
        guard let alerts else { throw APIError(.unavailable, "this agent keeps no alerts: `status` says why") }
        return alerts
    }

    private func requireResponses() throws(APIError) -> ResponseKeeper {
        guard let responses else { throw APIError(.unavailable, "this agent answers no attacks: `status` says why") }
        return responses
    }
}
