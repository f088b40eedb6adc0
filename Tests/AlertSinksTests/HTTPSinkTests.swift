// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import Testing

@testable import AlertSinks

@Suite struct HTTPSinkTests {
    private func place(_ server: CannedServer, _ path: String = "/hook?a=b") throws -> HTTPPlace {
        try #require(HTTPPlace("http://127.0.0.1:\(server.port)\(path)"))
    }

    @Test func `a webhook gets each notice as one object`() async throws {
        let server = try CannedServer()
        defer { server.end() }
        let all = try notices(2)
        async let requests = server.serve([
            CannedServer.answer("204 No Content"), CannedServer.answer("200 OK", "fine"),
        ])
        let delivery = await WebhookSink(place: try place(server)).deliver(all)
        #expect(delivery.delivered == 2 && delivery.failure == nil)
        let seen = try await requests
        #expect(seen[0].hasPrefix("POST /hook?a=b HTTP/1.1\r\n"))
        #expect(seen[0].contains("\r\nHost: 127.0.0.1:\(server.port)\r\n"))
        #expect(seen[0].contains("\r\nContent-Type: application/json\r\n"))
        #expect(seen.map { $0.hasSuffix("\r\n\r\n" + String(decoding: all[0].line, as: UTF8.self)) } == [true, false])
        #expect(seen[1].hasSuffix(String(decoding: all[1].line, as: UTF8.self)))
    }

    @Test func `what a receiver calls wrong is refused, what may pass is tried again`() async throws {
        let server = try CannedServer()
        defer { server.end() }
        async let requests = server.serve(
            ["400 Bad Request", "422 No", "500 Oops", "503 Later", "429 Slow", "404 Nobody", "302 Elsewhere"].map {
                CannedServer.answer($0, "why")
            })
        var refusals: [Bool?] = []
        for _ in 0..<7 {
            let delivery = await WebhookSink(place: try place(server)).deliver(try notices(1))
            #expect(delivery.delivered == 0)
            refusals.append(delivery.failure?.isRefusal)
        }
        #expect(refusals == [true, true, false, false, false, false, false])
        _ = try await requests
    }

    @Test func `a receiver that is away, mute or babbles costs its time limit and no more`() async throws {
        let server = try CannedServer()
        let sink = WebhookSink(place: try place(server), timeout: .milliseconds(300))
        async let requests = server.serve([nil, "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"])
        // Without its limit the first of them would not end.
        for _ in 0..<3 {
            let delivery = await sink.deliver(try notices(1))
            #expect(delivery.delivered == 0 && delivery.failure?.isRefusal == false)
        }
        _ = try await requests
        server.end()
        let absent = await sink.deliver(try notices(1))
        #expect(absent.failure?.description.contains("nobody listens") == true)
        let unknown = WebhookSink(place: try #require(HTTPPlace("http://host.invalid/")), timeout: .seconds(5))
        #expect(await unknown.deliver(try notices(1)).failure != nil)
    }

    @Test func `an Alertmanager is told all at once, and one that it refuses does not take others along`() async throws
    {
        let server = try CannedServer()
        defer { server.end() }
        let sink = AlertmanagerSink(place: try place(server, "/am/"), host: "box", timeAfter: { _ in "2027" })
        async let requests = server.serve(
            ["200 OK", "400 Bad Request", "200 OK", "400 Bad Request", "200 OK"].map { CannedServer.answer($0) })
        #expect(await sink.deliver(try notices(2)).delivered == 2)
        let mixed = await sink.deliver(try notices(2))
        #expect(mixed.delivered == 1 && mixed.failure?.isRefusal == true)
        try await sink.refresh(try notices(1).map(\.record.alert))
        let seen = try await requests
        #expect(seen.allSatisfy { $0.hasPrefix("POST /am/api/v2/alerts HTTP/1.1\r\n") })
        #expect(seen[0].contains("[{\"annotations\":{"))
    }
}
