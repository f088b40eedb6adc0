// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import DetectionModel
import ResponseActions
import Testing

extension RecordingService {
    func alerts(_ query: AlertQuery) async throws(APIError) -> AlertList {
        let states = query.states.map(\.rawValue).sorted().joined(separator: "+")
        note(
            "alerts \(states) \(query.severity.map { "\($0)" } ?? "-") \(query.detector ?? "-") "
                + "\(query.incident ?? 0) \(query.limit)")
        return AlertList(alerts: [], total: 0)
    }

    func alert(_ id: Int) async throws(APIError) -> AlertRecord {
        note("alert \(id)")
        throw APIError(.notFound, "there is no alert \(id)")
    }

    func incidents() async throws(APIError) -> [IncidentRecord] {
        note("incidents")
        return []
    }

    func watchAlerts() async throws(APIError) -> AsyncStream<[UInt8]> {
        AsyncStream { continuation in
            for chunk in ["{\"a\":", "1}\n{\"b\":2}\n"] { continuation.yield(Array(chunk.utf8)) }
            continuation.finish()
        }
    }

    func acknowledge(_ request: AlertChangeRequest, by: String) async throws(APIError) -> AlertList {
        note("ack \(request.alerts) \(request.incident ?? 0) \(request.comment ?? "-") by \(by)")
        return AlertList(alerts: [], total: 0)
    }

    func closeAlerts(_ request: AlertChangeRequest, by: String) async throws(APIError) -> AlertList {
        note("close \(request.alerts) by \(by)")
        return AlertList(alerts: [], total: 0)
    }

    func mutes() async throws(APIError) -> [MuteRecord] {
        note("mutes")
        return []
    }

    func mute(_ request: MuteRequest, by: String) async throws(APIError) -> MuteRecord {
        note("mute \(request.detector ?? "-") \(request.seconds ?? 0) by \(by)")
        return MuteRecord(AlertMute(id: 1, detector: request.detector), time: { "\($0)" })
    }

    func unmute(_ id: Int) async throws(APIError) -> [MuteRecord] {
        note("unmute \(id)")
        return []
    }

    func responses(isWhole: Bool) async throws(APIError) -> ResponseReport {
        note("responses \(isWhole)")
        return ResponseReport(actions: [], counters: ResponsePlan.Counters(), mode: "dry-run")
    }

    func undoResponses(_ request: UndoRequest, by: String) async throws(APIError) -> ResponseReport {
        note("undo \(request.actions) \(request.all == true) by \(by)")
        return ResponseReport(actions: [], counters: ResponsePlan.Counters(), mode: "dry-run")
    }
}

@Suite struct AlertRouteTests {
    private let service = RecordingService()

    private func client(user: UInt32 = 0) -> ControlClient {
        let router = ControlRouter(service: service, access: AccessRule { _ in false })
        return ControlClient(
            transport: LoopbackTransport(router: router, peer: APIPeer(userID: user, groupID: user, processID: 1)))
    }

    @Test func `what the client asks is what the service is asked`() async throws {
        var query = AlertQuery()
        query.states = [.open, .closed]
        query.severity = .high
        query.detector = "syn-flood"
        query.incident = 7
        query.limit = 5
        _ = try await client().alerts(query)
        await #expect(throws: APIError.self) { try await client().alert(3) }
        _ = try await client().incidents()
        _ = try await client().acknowledge(AlertChangeRequest(alerts: [1, 2], incident: 3, comment: "c"))
        _ = try await client().closeAlerts(AlertChangeRequest(alerts: [1]))
        _ = try await client().mute(MuteRequest(detector: "x", seconds: 60))
        _ = try await client().mutes()
        _ = try await client().unmute(4)
        _ = try await client().responses(isWhole: true)
        _ = try await client().undoResponses(UndoRequest(actions: [9]))
        #expect(
            service.calls == [
                "alerts closed+open high syn-flood 7 5", "alert 3", "incidents", "ack [1, 2] 3 c by user 0",
                "close [1] by user 0", "mute x 60 by user 0", "mutes", "unmute 4", "responses true",
                "undo [9] false by user 0",
            ])
        var lines: [String] = []
        try await client().watchAlerts { line in
            lines.append(String(decoding: line, as: UTF8.self))
            return true
        }
        #expect(lines == ["{\"a\":1}", "{\"b\":2}"])
    }

    @Test func `who may not change things may look`() async throws {
        _ = try await client(user: 7).alerts(AlertQuery())
        _ = try await client(user: 7).responses(isWhole: false)
        for change in [
            { try await self.client(user: 7).acknowledge(AlertChangeRequest(alerts: [1])).total },
            { try await self.client(user: 7).mute(MuteRequest(detector: "x")).id },
            { try await self.client(user: 7).unmute(1).count },
            { try await self.client(user: 7).undoResponses(UndoRequest(actions: [1])).actions.count },
        ] as [() async throws -> Int] {
            await #expect { _ = try await change() } throws: { ($0 as? APIError)?.code == .forbidden }
        }
    }

    @Test(arguments: [
        (["alerts"], [("state", "dead")]), (["alerts"], [("severity", "dire")]), (["alerts"], [("limit", "0")]),
        (["alerts"], [("colour", "red")]), (["alerts", "x"], []), (["alerts", "1", "2"], []), (["response", "x"], []),
    ]) func `what makes no sense is refused`(path: [String], query: [(String, String)]) async throws {
        let router = ControlRouter(service: service, access: AccessRule { _ in false })
        let response = await router.respond(
            to: APIRequest(
                method: .get, path: ["v1"] + path, query: query.map { (name: $0.0, value: $0.1) },
                peer: APIPeer(userID: 0, groupID: 0, processID: 1)))
        #expect([400, 404].contains(response.status))
        #expect(service.calls.isEmpty)
    }
}
