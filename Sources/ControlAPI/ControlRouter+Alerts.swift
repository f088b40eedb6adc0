// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import DetectionModel

extension ControlRouter {
    /// The routes below `/v1/alerts` and `/v1/response`; nil: there is no such route.
    func alertRoute(_ path: [String], _ request: APIRequest) async throws -> APIResponse? {
        let by = "user \(request.peer.userID)"
        switch (request.method, path) {
        case (.get, ["alerts"]): return try json(await service.alerts(try AlertQuery(request)))
        case (.get, ["alerts", "watch"]):
            let lines = try await service.watchAlerts()
            return APIResponse(status: 200, contentType: "application/x-ndjson", body: .stream(lines))
        case (.get, ["alerts", "incidents"]): return try json(await service.incidents())
        case (.get, ["alerts", "mutes"]): return try json(await service.mutes())
        case (.post, ["alerts", "ack"]):
            return try json(await service.acknowledge(try body(AlertChangeRequest.self, request), by: by))
        case (.post, ["alerts", "close"]):
            return try json(await service.closeAlerts(try body(AlertChangeRequest.self, request), by: by))
        case (.post, ["alerts", "mutes"]):
            return try json(await service.mute(try body(MuteRequest.self, request), by: by))
        case (.get, ["response"]): return try json(await service.responses(isWhole: try request.flag("all")))
        case (.post, ["response", "undo"]):
            return try json(await service.undoResponses(try body(UndoRequest.self, request), by: by))
        case (.delete, let path) where path.count == 3 && path[0] == "alerts" && path[1] == "mutes":
            return try json(await service.unmute(try id(path[2])))
        case (.get, let path) where path.count == 2 && path[0] == "alerts":
            return try json(await service.alert(try id(path[1])))
        default: return nil
        }
    }

    private func id(_ text: String) throws(APIError) -> Int {
        guard let id = Int(text), id > 0 else { throw APIError(.badRequest, "\"\(text)\" is no number of one") }
        return id
    }
}

extension AlertQuery {
    init(_ request: APIRequest) throws(APIError) {
        self.init()
        for text in request.value("state")?.split(separator: ",") ?? [] {
            guard let state = Alert.State(rawValue: String(text)) else {
                let names = Alert.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw APIError(.badRequest, "state=\(text): one or more of \(names)")
            }
            states.insert(state)
        }
        if let text = request.value("severity") {
            guard let severity = Severity(text) else {
                let names = Severity.allCases.map(\.description).joined(separator: ", ")
                throw APIError(.badRequest, "severity=\(text): one of \(names)")
            }
            self.severity = severity
        }
        detector = request.value("detector")
        incident = try AlertQuery.number(request, "incident")
        limit = try AlertQuery.number(request, "limit") ?? limit
    }

    private static func number(_ request: APIRequest, _ name: String) throws(APIError) -> Int? {
        guard let text = request.value(name) else { return nil }
        guard let number = Int(text), number > 0 else {
            throw APIError(.badRequest, "\(name)=\(text): a number from 1")
        }
        return number
    }

    var items: [(name: String, value: String)] {
        var items: [(name: String, value: String)] = [("limit", "\(limit)")]
        if !states.isEmpty { items.append(("state", states.map(\.rawValue).sorted().joined(separator: ","))) }
        if let severity { items.append(("severity", "\(severity)")) }
        if let detector { items.append(("detector", detector)) }
        if let incident { items.append(("incident", "\(incident)")) }
        return items
    }
}
