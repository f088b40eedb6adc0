// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import LocalHTTP
import Metrics
import PolicyReading
import Testing

@testable import AgentCore

@Suite struct MetricsConfigurationTests {
    private func read(_ text: String) throws -> MetricsConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(Array(text.utf8), file: "agent.yaml")
        return configuration.metrics
    }

    @Test func `nobody listens unless somebody says so`() throws {
        #expect(try read("audit: true").listen == nil)
        #expect(try read("metrics: {listen: \"\"}").listen == nil)
    }

    @Test(arguments: ["127.0.0.1:9964", "127.9.9.9:1", "[::1]:9964"])
    func `this host may ask without a token`(address: String) throws {
        let metrics = try read("metrics: {listen: \"\(address)\"}")
        #expect(metrics.listen?.description == address && metrics.token == nil)
    }

    @Test(arguments: ["0.0.0.0:9964", "192.0.2.1:9964", "[::]:9964", "[2001:db8::1]:9964", "[::ffff:192.0.2.1]:9964"])
    func `others reach an address only with a token`(address: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try read("metrics:\n  listen: \"\(address)\"") }
        #expect("\(try #require(error))".hasPrefix("agent.yaml:2:11: "), "\(String(describing: error))")
        let metrics = try read("metrics: {tokenFile: /t, listen: \"\(address)\"}")
        #expect(metrics.listen != nil && metrics.token == BearerToken(path: "/t"))
    }

    @Test(arguments: [
        "{listen: \"9964\"}", "{listen: localhost:9964}", "{listen: \"127.0.0.1:0\"}", "{listen: \"127.0.0.1:65536\"}",
        "{listen: \"::1:9964\"}", "{listen: \"[127.0.0.1]:9964\"}", "{listen: \"127.0.0.1\"}",
        "{listen: \"127.0.0.1:9964\", tokenFile: token}", "{tokenFile: /t}", "{other: 1}",
    ]) func `what cannot be is refused`(text: String) {
        #expect(throws: (any Error).self) { try read("metrics: \(text)") }
    }

    @Test func `a file without a usable token keeps the agent from starting`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/token"
        var configuration = AgentConfiguration()
        configuration.metrics = try read("metrics: {listen: \"0.0.0.0:9964\", tokenFile: \(path)}")
        #expect(throws: AgentError.self) { try configuration.checkFiles() }
        for text in ["", "short\n", "0123456789 abcdef", "0123456789abcdé"] {
            try AtomicFile.write(Array(text.utf8), to: path)
            #expect(throws: AgentError.self) { try configuration.checkFiles() }
        }
        try AtomicFile.write(Array("0123456789abcdef\n".utf8), to: path)
        try configuration.checkFiles()
    }
}

@Suite struct BearerTokenTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    @Test func `only who shows the token is admitted`() throws {
        let scratch = try Scratch()
        let token = BearerToken(path: "\(scratch.path)/token")
        #expect(!token.admits("Bearer \(Self.secret)"), "there is no file")
        try AtomicFile.write(Array("\(Self.secret)\n".utf8), to: token.path)
        for header in ["Bearer \(Self.secret)", "bearer \(Self.secret)"] { #expect(token.admits(header), "\(header)") }
        let wrong = [
            "", "Bearer", "Bearer ", Self.secret, "Basic \(Self.secret)", "Bearer \(Self.secret)x",
            "Bearer \(Self.secret.dropLast())", "Bearer x\(Self.secret.dropFirst())",
            "Bearer \(Self.secret)\(Self.secret)", "Bearer  \(Self.secret)", String(repeating: "x", count: 1 << 16),
        ]
        for header in wrong { #expect(!token.admits(header), "\(header.prefix(80))") }
        #expect(!token.admits(nil))
    }

    @Test func `another token counts from the moment it is there, and the former no more`() throws {
        let scratch = try Scratch()
        let token = BearerToken(path: "\(scratch.path)/token")
        try AtomicFile.write(Array(Self.secret.utf8), to: token.path)
        try AtomicFile.write(Array(Self.secret.reversed().map(\.asciiValue!)), to: token.path)
        #expect(!token.admits("Bearer \(Self.secret)"))
        #expect(token.admits("Bearer \(String(Self.secret.reversed()))"))
        try AtomicFile.write([], to: token.path)
        #expect(!token.admits("Bearer \(String(Self.secret.reversed()))") && !token.admits("Bearer "))
    }
}

@Suite struct MetricsDeskTests {
    private func ask(
        _ method: String, _ target: String, token: BearerToken? = nil, _ headers: [(name: String, value: String)] = []
    ) async -> LocalResponse {
        let desk = MetricsDesk(token: token) { $0 == .openMetrics ? [0x6f] : [0x70] }
        return await desk.answer(
            LocalRequest(method: method, target: target, headers: headers, peer: NetworkHTTPServer.nobody))
    }

    @Test func `one path and one method are answered`() async {
        #expect(await ask("GET", "/metrics").status == 200)
        #expect(await ask("GET", "/metrics?a=b").status == 200)
        for target in ["/", "/v1/status", "/metrics/", "//metrics", "/metrics%00", "*", ""] {
            #expect(await ask("GET", target).status == 404, "\(target)")
        }
        for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"] {
            let answer = await ask(method, "/metrics")
            #expect(answer.status == 405 && answer.headers.contains { $0.name == "Allow" }, "\(method)")
        }
    }

    @Test func `without the token nothing is told, not even what there is`() async throws {
        let scratch = try Scratch()
        let token = BearerToken(path: "\(scratch.path)/token")
        try AtomicFile.write(Array("0123456789abcdef".utf8), to: token.path)
        for (method, target) in [("GET", "/metrics"), ("GET", "/"), ("POST", "/metrics"), ("GET", "/v1/status")] {
            let answer = await ask(method, target, token: token)
            #expect(answer.status == 401 && answer.headers.contains { $0.name == "WWW-Authenticate" })
        }
        let shown = [(name: "authorization", value: "Bearer 0123456789abcdef")]
        #expect(await ask("GET", "/metrics", token: token, shown).status == 200)
    }

    @Test func `the format is the reader's`() async {
        let answer = await ask("GET", "/metrics", [(name: "Accept", value: "application/openmetrics-text")])
        guard case .bytes(let bytes) = answer.body else { return #expect(Bool(false)) }
        #expect(bytes == [0x6f] && answer.contentType == MetricFormat.openMetrics.contentType)
    }
}
