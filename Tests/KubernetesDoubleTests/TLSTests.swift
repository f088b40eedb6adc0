// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import KubernetesDouble
import NIOCore
import NIOHTTP1
import NIOSSL
import Testing

@Suite(.timeLimit(.minutes(2))) struct TLSTests {
    private static func start(http2: Bool = true) async throws -> KubernetesDouble {
        var options = DoubleOptions()
        options.usesTLS = true
        options.offersHTTP2 = http2
        return try await KubernetesDouble.start(options)
    }

    private static func withClient(
        _ double: KubernetesDouble, identity: Authority.Identity? = nil, _ body: (HTTPClient) async throws -> Void
    ) async throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        let pem = try #require(double.authority?.pem)
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8)))
        if let identity {
            tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificate.utf8))
                .map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.key.utf8), format: .pem))
        }
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: HTTPClient.Configuration(tlsConfiguration: tls))
        do {
            try await body(client)
        } catch {
            try await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    /// What a new client of the server's present authority is answered.
    private static func status(
        _ double: KubernetesDouble, identity: Authority.Identity? = nil
    ) async throws -> HTTPResponseStatus {
        var status = HTTPResponseStatus.internalServerError
        try await withClient(double, identity: identity) { status = try await get($0, double).status }
        return status
    }

    private static func get(
        _ client: HTTPClient, _ double: KubernetesDouble, within timeout: TimeAmount = .seconds(20)
    ) async throws -> HTTPClientResponse {
        try await client.execute(HTTPClientRequest(url: double.url + "/api/v1/pods"), timeout: timeout)
    }

    @Test(arguments: [true, false]) func `HTTP/2 is spoken where it is offered`(http2: Bool) async throws {
        let double = try await Self.start(http2: http2)
        try double.store.apply(pod("a"))
        try await Self.withClient(double) { client in
            let response = try await Self.get(client, double)
            #expect(response.status == .ok)
            #expect((response.version == .http2) == http2)
            let body = try await response.body.collect(upTo: 1 << 20)
            #expect(try JSON(parsing: body.readableBytesView)["kind"] == "PodList")
        }
        await double.stop()
    }

    @Test func `a client certificate says who asks`() async throws {
        let double = try await Self.start()
        double.access.require(tokens: [:])
        #expect(try await Self.status(double) == .unauthorized)
        let user = DoubleUser("system:node:n1", groups: ["system:nodes"])
        let identity = try double.authority?.client(user)
        #expect(try await Self.status(double, identity: identity) == .ok)
        #expect(double.counters.requests.last?.user == "system:node:n1")
        await double.stop()
    }

    @Test func `GOAWAY makes a client open another connection`() async throws {
        let double = try await Self.start()
        try await Self.withClient(double) { client in
            _ = try await Self.get(client, double).body.collect(upTo: 1 << 20)
            _ = try await Self.get(client, double).body.collect(upTo: 1 << 20)
            #expect(double.counters.connections == 1)
            double.goAway()
            // Who asks at that moment may be refused.
            for _ in 0..<3_000 where double.counters.openConnections > 0 {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(double.counters.openConnections == 0)
            #expect(try await Self.get(client, double).status == .ok)
            #expect(double.counters.connections == 2)
        }
        await double.stop()
    }

    @Test func `an expired certificate and a foreign authority are refused by clients`() async throws {
        let double = try await Self.start()
        try double.rotateCertificate(seconds: -60)
        // The client tries again until its time is over.
        try await Self.withClient(double) { client in
            await #expect(throws: (any Error).self) { _ = try await Self.get(client, double, within: .seconds(2)) }
        }
        try double.rotateCertificate()
        try await Self.withClient(double) { client in
            #expect(try await Self.get(client, double).status == .ok)
            try double.rotateCertificate(authority: try Authority())
            double.breakConnections()
            // What is asked before they are gone is answered as ever.
            for _ in 0..<3_000 where double.counters.openConnections > 0 {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(double.counters.openConnections == 0)
            await #expect(throws: (any Error).self) { _ = try await Self.get(client, double, within: .seconds(2)) }
        }
        #expect(try await Self.status(double) == .ok)
        await double.stop()
    }
}
