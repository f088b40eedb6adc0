// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@Suite struct ControlRouterTests {
    private let service = RecordingService()

    private func client(userID: UInt32 = 0, groupID: UInt32 = 0) -> ControlClient {
        let router = ControlRouter(service: service, access: AccessRule { $0.groupID == 77 })
        return ControlClient(
            transport: LoopbackTransport(
                router: router, peer: APIPeer(userID: userID, groupID: groupID, processID: 1)))
    }

    private func respond(_ method: APIMethod, _ path: String, query: [(name: String, value: String)] = []) async
        -> APIResponse
    {
        let router = ControlRouter(service: service, access: AccessRule { _ in false })
        return await router.respond(
            to: APIRequest(
                method: method, path: path.split(separator: "/").map(String.init), query: query,
                peer: APIPeer(userID: 0, groupID: 0, processID: 1)))
    }

    @Test func `values survive the way through JSON`() async throws {
        #expect(try await client().status() == RecordingService.statusReport)
        #expect(try await client().endpoints() == [RecordingService.endpointRecord])
        #expect(try await client().endpoint("podman/web") == RecordingService.endpointRecord)
    }

    @Test func `options and bodies reach the service`() async throws {
        let document = PolicyDocument(name: "web.yaml", text: Array("kind: x".utf8))
        let report = try await client().applyPolicies(document, options: ChangeOptions(isDryRun: true, isForced: true))
        #expect(!report.inForce)
        _ = try await client().deletePolicy("NetworkPolicy/shop/web", options: ChangeOptions())
        _ = try await client().setEndpointAudit("podman/web", true)
        _ = try await client().explain(ExplainRequest(from: "a", to: "b", port: 443, protocol: nil))
        _ = try await client().dump(.conntrack, limit: 5)
        #expect(
            service.calls == [
                "apply web.yaml 7 dry=true force=true", "delete NetworkPolicy/shop/web", "audit podman/web true",
                "explain a b 443", "dump conntrack 5",
            ])
    }

    @Test func `an error arrives with its code and diagnostics`() async throws {
        let error = await #expect(throws: APIError.self) {
            try await client().applyPolicies(PolicyDocument(name: "f.yaml", text: []), options: ChangeOptions())
        }
        #expect(error?.code == .invalidPolicy)
        #expect(error?.description == "nothing was applied\nf.yaml:2:3: error[BH1003]: empty")
    }

    @Test func `an ordinary user may read and not change`() async throws {
        _ = try await client(userID: 1000).status()
        _ = try await client(userID: 1000).compilePolicies(PolicyDocument(name: "x", text: []))
        let error = await #expect(throws: APIError.self) { try await client(userID: 1000).setAudit(true) }
        #expect(error?.code == .forbidden)
        #expect(!service.calls.contains("audit true"))
    }

    @Test func `a member of the group may change`() async throws {
        _ = try await client(userID: 1000, groupID: 77).setAudit(false)
        #expect(service.calls == ["audit false"])
    }

    @Test(arguments: ["v1", "v2/status", "v1/nothing", "v1/status/x", "v1/maps", "v1/maps/tcp"])
    func `an unknown path is not found`(path: String) async {
        #expect(await respond(.get, path).status == 404)
    }

    @Test func `a misspelt flow filter is refused`() async {
        #expect(await respond(.get, "v1/flows", query: [("verdit", "deny")]).status == 400)
        #expect(await respond(.get, "v1/flows", query: [("last", "-1")]).status == 400)
        #expect(await respond(.post, "v1/config/audit", query: [("mode", "maybe")]).status == 400)
    }

    @Test func `every flow filter crosses the query string`() async throws {
        var query = FlowQuery()
        query.follow = true
        query.last = 5
        query.endpoints = ["a", "b"]
        query.labels = ["k8s:app=web"]
        query.identities = ["300"]
        query.verdicts = ["deny"]
        query.reasons = ["policy-deny"]
        query.ports = ["443"]
        query.protocols = ["tcp"]
        query.prefixes = ["10.0.0.0/8"]
        query.direction = "ingress"
        var lines: [String] = []
        try await client().flows(query) { line in
            lines.append(String(decoding: line, as: UTF8.self))
            return true
        }
        #expect(lines == ["{\"a\":1}", "{\"b\":2}"])
        #expect(service.calls == ["flows " + query.items.map { "\($0.name)=\($0.value)" }.joined(separator: "&")])
        #expect(query.items.count == 12)
    }
}
