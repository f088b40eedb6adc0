// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import Glibc
import LinuxHost
import LocalHTTP
import Synchronization
import Testing

@testable import CNIHost

@Suite struct LocalSurroundingsTests {
    /// Answers with what it was asked.
    private func serve(_ path: String, _ body: @Sendable @escaping () async throws -> Void) async throws {
        let server = try await LocalHTTPServer.bind(socketPath: path, mode: 0o600, groupID: nil) { request in
            let said = String(decoding: request.body, as: UTF8.self)
            let answer = JSONValue.object([
                "method": .string(request.method), "target": .string(request.target), "body": .string(said),
                "long": .string(String(repeating: "x", count: 300_000)),
            ])
            return LocalResponse(
                status: request.method == "GET" ? 404 : 200, contentType: "application/json",
                body: .bytes(Array(answer.text.utf8)))
        }
        let running = Task { try await server.run() }
        try await body()
        await server.shutDown(within: .seconds(1))
        running.cancel()
        _ = try? await running.value
    }

    private static func ask(_ request: AgentRequest, _ socket: String, _ seconds: Int = 20) throws -> AgentAnswer {
        try LocalSurroundings().ask(request, of: socket, within: seconds)
    }

    @Test func `the agent's own server understands and is understood`() async throws {
        let scratch = try ScratchDirectory()
        let socket = "\(scratch.path)/s"
        try await serve(socket) {
            let long = JSONValue.string(String(repeating: "ü", count: 200_000))
            let post = try await DedicatedThread.run(name: "ask") {
                try Self.ask(AgentRequest("POST", ["attachments", "a/b c%@é"], long), socket)
            }
            #expect(post.status == 200 && post.body["target"] == .string("/v1/attachments/a%2Fb%20c%25%40%C3%A9"))
            #expect(post.body["body"] == .string(long.text))
            let get = try await DedicatedThread.run(name: "ask") { try Self.ask(AgentRequest("GET", ["x"]), socket) }
            #expect(get.status == 404 && get.body["method"] == .string("GET"))
        }
    }

    @Test func `nobody is told at once, and silence in time`() throws {
        let scratch = try ScratchDirectory()
        #expect(throws: AgentDown.self) { try Self.ask(AgentRequest("GET", []), "\(scratch.path)/none") }
        #expect(throws: AgentDown.self) {
            try Self.ask(AgentRequest("GET", []), scratch.path + String(repeating: "x", count: 200))
        }
        let silent = try Listener("\(scratch.path)/silent")
        let begin = HostClock.monotonicNanoseconds()
        #expect(throws: AgentDown.self) { try Self.ask(AgentRequest("GET", []), "\(scratch.path)/silent", 1) }
        #expect(HostClock.monotonicNanoseconds() - begin >= 900_000_000)
        _ = silent
    }

    /// Listens and never answers.
    private struct Listener: ~Copyable {
        let descriptor: OwnedDescriptor

        init(_ path: String) throws {
            descriptor = OwnedDescriptor(adopting: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
            let status = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                    unsafe bind(descriptor.rawValue, target, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(status == 0 && listen(descriptor.rawValue, 8) == 0)
        }
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
    ])
    func `half an answer is none`(text: String) {
        #expect(throws: BlockingHTTP.Failure.self) { try BlockingHTTP.parse(Array(text.utf8), "s") }
    }

    @Test func `what waits is there once for each attachment, and only while no agent takes it`() throws {
        let scratch = try ScratchDirectory()
        let directory = "\(scratch.path)/a/b"
        let (surroundings, pending) = (LocalSurroundings(), PendingDirectory(path: "\(scratch.path)/a/b"))
        let name = AttachmentName(containerID: "c", interface: "eth0")
        let request = AttachmentRequest(containerID: "c", interface: "eth0", namespacePath: "/run/netns/c")
        try surroundings.postpone(.delete(name), in: directory) { true }
        #expect(try pending.changes().changes.isEmpty)
        try surroundings.postpone(.add(request), in: directory) { false }
        try surroundings.postpone(.delete(name), in: directory) { false }
        let other = AttachmentName(containerID: String(repeating: "d", count: 900), interface: "net1")
        try surroundings.postpone(.delete(other), in: directory) { false }
        let waiting = try pending.changes().changes
        let expected = [PendingChange.delete(name), .delete(other)].map { Array($0.json.text.utf8) }
        #expect(waiting.map(\.bytes) == expected)
        for (file, _) in waiting { pending.remove(file) }
        #expect(try pending.changes().changes.isEmpty)
    }

    @Test func `what is no file does not keep the others from being read`() throws {
        let scratch = try ScratchDirectory()
        let pending = PendingDirectory(path: scratch.path)
        try createDirectory("\(scratch.path)/a.json")
        unsafe symlink("/dev/zero", "\(scratch.path)/b.json")
        try pending.add(.delete(AttachmentName(containerID: "c", interface: "eth0")))
        let (changes, unreadable) = try pending.changes()
        #expect(changes.count == 1 && unreadable.count == 2)
    }
}
