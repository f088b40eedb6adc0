// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import LocalHTTP

/// A socket path of the test's own.
private func freshPath() -> String { "/tmp/bulkhead-http-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock" }

/// Serves `handler` while `body` runs.
private func withServer(
    limits: LocalHTTPServer.Limits = .init(), handler: @escaping LocalHTTPServer.Handler,
    _ body: (LocalHTTPServer, LocalHTTPClient) async throws -> Void
) async throws {
    let server = try await LocalHTTPServer.bind(socketPath: freshPath(), limits: limits, handler: handler)
    let serving = Task { try await server.run() }
    try await body(server, LocalHTTPClient(socketPath: server.socketPath, timeout: .seconds(60)))
    await server.shutDown(within: .milliseconds(200))
    try await serving.value
}

private let echo: LocalHTTPServer.Handler = { request in
    LocalResponse(status: 200, contentType: "application/octet-stream", body: .bytes(request.body))
}

@Suite struct LocalHTTPServerTests {
    @Test func `a request arrives as sent, with the peer the kernel names`() async throws {
        let handler: LocalHTTPServer.Handler = { request in
            let peer = request.peer
            return .text(
                201,
                "\(request.method) \(request.target) \(request.header("content-type") ?? "") \(peer.processID) "
                    + "\(peer.userID) \(peer.groupID) \(String(decoding: request.body, as: UTF8.self))")
        }
        try await withServer(handler: handler) { _, client async throws in
            let answer = try await client.request(
                "POST", "/a/b?c=d", body: Array("body".utf8), contentType: "text/yaml")
            #expect(answer.status == 201)
            let expected = "POST /a/b?c=d text/yaml \(getpid()) \(geteuid()) \(getegid()) body\n"
            #expect(String(decoding: answer.body, as: UTF8.self) == expected)
        }
    }

    @Test(arguments: [0, 1, 70_000, 3_000_000]) func `bodies of any size come back whole`(count: Int) async throws {
        try await withServer(handler: echo) { _, client async throws in
            let body = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            #expect(try await client.request("POST", "/", body: body).body == body)
        }
    }

    @Test func `a body past the limit is refused with 413`() async throws {
        var limits = LocalHTTPServer.Limits()
        limits.bodyBytesMax = 100
        try await withServer(limits: limits, handler: echo) { _, client async throws in
            #expect(try await client.request("POST", "/", body: Array(repeating: 0, count: 101)).status == 413)
            #expect(try await client.request("POST", "/", body: Array(repeating: 0, count: 3_000_000)).status == 413)
            #expect(try await client.request("POST", "/", body: Array(repeating: 0, count: 100)).status == 200)
        }
    }

    @Test func `headers past the limit never reach the routes`() async throws {
        let handler: LocalHTTPServer.Handler = { _ in .text(200, "reached") }
        try await withServer(handler: handler) { _, client async throws in
            let answer = try? await client.request("GET", "/", contentType: String(repeating: "x", count: 20_000))
            #expect(answer?.status != 200)
        }
    }

    @Test func `a streamed answer arrives piece by piece, as lines`() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let handler: LocalHTTPServer.Handler = { _ in
            LocalResponse(status: 200, contentType: "application/x-ndjson", body: .stream(stream))
        }
        try await withServer(handler: handler) { _, client async throws in
            let answer = try await client.open("GET", "/")
            var lines = answer.lines.makeAsyncIterator()
            continuation.yield(Array("one\ntw".utf8))
            #expect(try await lines.next() == Array("one".utf8))
            continuation.yield(Array("o\n\nlast".utf8))
            continuation.finish()
            #expect(try await lines.next() == Array("two".utf8))
            #expect(try await lines.next() == [])
            #expect(try await lines.next() == Array("last".utf8))
            #expect(try await lines.next() == nil)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a client that goes away ends the stream behind its answer`() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        continuation.onTermination = { _ in end.yield() }
        let handler: LocalHTTPServer.Handler = { _ in
            LocalResponse(status: 200, contentType: "application/x-ndjson", body: .stream(stream))
        }
        try await withServer(handler: handler) { _, client async throws in
            continuation.yield(Array("one\n".utf8))
            do {
                let answer = try await client.open("GET", "/")
                var lines = answer.lines.makeAsyncIterator()
                #expect(try await lines.next() != nil)
            }
            var iterator = ended.makeAsyncIterator()
            #expect(await iterator.next() != nil)
        }
    }

    @Test func `connections past the limit are closed, and there is room again afterwards`() async throws {
        var limits = LocalHTTPServer.Limits()
        limits.connectionsMax = 1
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let handler: LocalHTTPServer.Handler = { request in
            request.target == "/stream"
                ? LocalResponse(status: 200, contentType: "text/plain", body: .stream(stream)) : .text(200, "quick")
        }
        try await withServer(limits: limits, handler: handler) { _, client async throws in
            let first = try await client.open("GET", "/stream")
            await #expect(throws: LocalHTTPError.self) { try await client.request("GET", "/") }
            continuation.finish()
            for try await _ in first.chunks {}
            var status: Int?
            for _ in 0..<100 where status == nil {
                status = try? await client.request("GET", "/").status
                if status == nil { try await Task.sleep(for: .milliseconds(10)) }
            }
            #expect(status == 200)
        }
    }

    @Test func `a client that never completes its request loses the connection`() async throws {
        var limits = LocalHTTPServer.Limits()
        limits.requestTimeout = .milliseconds(50)
        try await withServer(limits: limits, handler: echo) { server, _ async throws in
            let raw = try RawConnection(server.socketPath)
            raw.send("GET / HTTP/1.1\r\nHost: x\r\n")
            let answer = try await raw.readUntilEnd()
            #expect(answer.isEmpty)
        }
    }

    @Test func `two requests on one connection are answered in order`() async throws {
        try await withServer(handler: { .text(200, $0.target) }) { server, _ async throws in
            let raw = try RawConnection(server.socketPath)
            raw.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let answer = try await raw.readUntilEnd()
            let (first, second) = (answer.firstRange(of: "/1\n"), answer.firstRange(of: "/2\n"))
            #expect(first != nil && second != nil)
            if let first, let second { #expect(first.lowerBound < second.lowerBound) }
        }
    }

    @Test func `what is no HTTP is answered 400`() async throws {
        try await withServer(handler: echo) { server, _ async throws in
            let raw = try RawConnection(server.socketPath)
            raw.send("\u{1}\u{2}\u{3} nonsense\r\n\r\n")
            let answer = try await raw.readUntilEnd()
            #expect(answer.hasPrefix("HTTP/1.1 400"))
        }
    }

    @Test func `a running request is finished before the server stops`() async throws {
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let server = try await LocalHTTPServer.bind(socketPath: freshPath()) { _ in
            start.yield()
            try? await Task.sleep(for: .milliseconds(200))
            return .text(200, "done")
        }
        let serving = Task { try await server.run() }
        let client = LocalHTTPClient(socketPath: server.socketPath)
        async let answer = client.request("GET", "/")
        var iterator = started.makeAsyncIterator()
        _ = await iterator.next()
        await server.shutDown()
        try await serving.value
        #expect(try await answer.status == 200)
        #expect(SocketListener.inode(server.socketPath) == nil)
    }
}

@Suite struct SocketListenerTests {
    @Test func `a live server's socket is not taken over`() async throws {
        try await withServer(handler: echo) { server, client async throws in
            let error = await #expect(throws: LocalHTTPError.self) {
                _ = try await LocalHTTPServer.bind(socketPath: server.socketPath, handler: echo)
            }
            #expect(error?.code == .unusablePath)
            #expect(try await client.request("GET", "/").status == 200)
        }
    }

    @Test func `a stale socket file is replaced, with the mode asked for`() throws {
        let path = freshPath()
        defer { _ = unsafe unlink(path) }
        _ = close(try SocketListener.listen(at: path, mode: 0o600, groupID: nil))
        let second = try SocketListener.listen(at: path, mode: 0o660, groupID: nil)
        defer { close(second) }
        var info = stat()
        #expect(unsafe stat(path, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o660)
    }

    @Test func `a plain file in the way is kept`() throws {
        let path = freshPath()
        _ = close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
        defer { _ = unsafe unlink(path) }
        #expect(throws: LocalHTTPError.self) { try SocketListener.listen(at: path, mode: 0o600, groupID: nil) }
        #expect(SocketListener.inode(path) != nil)
    }

    @Test func `a path that does not fit is refused in words`() {
        let path = "/tmp/bulkhead-" + String(repeating: "x", count: 120)
        let error = #expect(throws: LocalHTTPError.self) {
            try SocketListener.listen(at: path, mode: 0o600, groupID: nil)
        }
        #expect(error?.description.contains("shorter") == true)
    }
}

@Suite struct LocalHTTPClientTests {
    @Test func `a socket that is not there is named, with a remedy`() async {
        let path = freshPath()
        let error = await #expect(throws: LocalHTTPError.self) {
            try await LocalHTTPClient(socketPath: path).request("GET", "/")
        }
        #expect(error?.code == .absent)
        #expect(error?.description == "cannot use socket \(path): it does not exist; is the service running?")
    }

    @Test func `a stale socket counts as absent`() async throws {
        let path = freshPath()
        _ = close(try SocketListener.listen(at: path, mode: 0o600, groupID: nil))
        defer { _ = unsafe unlink(path) }
        let error = await #expect(throws: LocalHTTPError.self) {
            try await LocalHTTPClient(socketPath: path).request("GET", "/")
        }
        #expect(error?.code == .absent)
    }

    @Test func `an answer that does not come in time is an error`() async throws {
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let handler: LocalHTTPServer.Handler = { _ in
            for await _ in gate {}
            return .text(200, "late")
        }
        try await withServer(handler: handler) { server, _ async throws in
            defer { opener.finish() }
            let client = LocalHTTPClient(socketPath: server.socketPath, timeout: .milliseconds(50))
            let error = await #expect(throws: LocalHTTPError.self) { try await client.request("GET", "/") }
            #expect(error?.code == .timedOut)
        }
    }

    @Test func `an answer past the limit is an error`() async throws {
        try await withServer(handler: echo) { server, _ async throws in
            let client = LocalHTTPClient(socketPath: server.socketPath, bodyBytesMax: 10)
            let error = await #expect(throws: LocalHTTPError.self) {
                try await client.request("POST", "/", body: Array(repeating: 1, count: 11))
            }
            #expect(error?.code == .tooLarge)
        }
    }

    @Test func `cancelling the task ends the wait`() async throws {
        let handler: LocalHTTPServer.Handler = { _ in
            LocalResponse(status: 200, contentType: "text/plain", body: .stream(AsyncStream { _ in }))
        }
        try await withServer(handler: handler) { _, client async throws in
            let waiting = Task { for try await _ in try await client.open("GET", "/").chunks {} }
            try await Task.sleep(for: .milliseconds(50))
            waiting.cancel()
            await #expect(throws: LocalHTTPError.self) { try await waiting.value }
        }
    }
}
