// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import LocalHTTP
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

    @Test func `the shield is asked, and changed by those who may`() async throws {
        #expect(try await client().shieldReport().mode == "enforce")
        _ = try await client().block(ShieldBlockRequest(prefix: "192.0.2.1", seconds: 60))
        _ = try await client().unblock(ShieldBlockRequest(prefix: "192.0.2.1"))
        _ = try await client().accept(ShieldFeedRequest(feed: "drop"))
        #expect(service.calls == ["shield", "block 192.0.2.1 60", "unblock 192.0.2.1", "accept drop"])
        await #expect(throws: APIError.self) {
            _ = try await client(userID: 1000).block(ShieldBlockRequest(prefix: "192.0.2.1", seconds: 60))
        }
        #expect(service.calls.count == 4)
    }

    @Test func `an empty name is refused before it becomes another route`() async {
        let asked = client()
        await #expect(throws: APIError.self) { _ = try await asked.endpoint("") }
        await #expect(throws: APIError.self) { _ = try await asked.deletePolicy("", options: ChangeOptions()) }
        #expect(service.calls.isEmpty)
    }

    @Test func `several documents are one request, and one that is no text is refused alone`() async throws {
        let (first, second) = (
            PolicyDocument(name: "a.yaml", text: Array("kind: \"x\"\n".utf8)),
            PolicyDocument(name: "b.yaml", text: Array("é".utf8))
        )
        _ = try await client().applyPolicies([first, second], options: ChangeOptions(isForced: true))
        await #expect(throws: APIError.self) {
            let broken = PolicyDocument(name: "c.yaml", text: [0xff])
            _ = try await client().applyPolicies([first, broken], options: ChangeOptions())
        }
        await #expect(throws: APIError.self) {
            _ = try await client().applyPolicies([], options: ChangeOptions())
        }
        #expect(
            service.calls == [
                "apply a.yaml 10, b.yaml 2 dry=false force=true", "apply c.yaml 1 dry=true force=false",
            ])
    }

    @Test func `options and bodies reach the service`() async throws {
        let document = PolicyDocument(name: "web.yaml", text: Array("kind: x".utf8))
        let report = try await client().applyPolicies(document, options: ChangeOptions(isDryRun: true, isForced: true))
        #expect(!report.inForce)
        _ = try await client().deletePolicy("NetworkPolicy/shop/web", options: ChangeOptions())
        _ = try await client().setEndpointAudit("podman/web", true)
        _ = try await client().setNamespaceAudit("shop", true)
        #expect(try await client().history(limit: 5).revisions == [RecordingService.revision])
        #expect(try await client().revision(7).changes.first?.after == "text")
        _ = try await client(userID: 0).rollBack(to: 4, options: ChangeOptions(confirmWithin: .seconds(120)))
        #expect(try await client().planPolicies(.apply([document]), limit: 7).changes == [RecordingService.planned])
        let two = [document, PolicyDocument(name: "b.yaml", text: Array("é".utf8))]
        #expect(try await client().planPolicies(.apply(two), limit: 6).total == 3)
        let broken = PolicyDocument(name: "c.yaml", text: [0xff])
        _ = try await client().planPolicies(.apply([document, broken]), limit: 5)
        await #expect(throws: APIError.self) { _ = try await client().planPolicies(.apply([]), limit: 4) }
        _ = try await client().planPolicies(.delete("NetworkPolicy/shop/web"), limit: 8)
        _ = try await client().planPolicies(.rollBack(3), limit: 9)
        #expect(try await client().diffPolicies(document).lines == ["+ line"])
        _ = try await client().confirm(9)
        _ = try await client().confirm(nil)
        _ = try await client().explain(ExplainRequest(from: "a", to: "b", port: 443, protocol: nil))
        _ = try await client().dump(.conntrack, limit: 5)
        _ = try await client().learntNames(NameQuery(endpoint: "web", name: "*.a.test", limit: 9))
        #expect(
            service.calls == [
                "apply web.yaml 7 dry=true force=true", "delete NetworkPolicy/shop/web", "audit podman/web true",
                "audit namespace shop true", "history 5", "revision 7", "rollback 4 120.0 seconds by 0",
                "plan web.yaml 7", "plan web.yaml,b.yaml 6", "plan c.yaml 5",
                "plan delete NetworkPolicy/shop/web 8", "plan rollback 3 9", "diff 50", "confirm 9",
                "confirm 0", "explain a b 443",
                "dump conntrack 5", "names web *.a.test 9",
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

    @Test(arguments: [
        (APIMethod.post, "v1/policies?dry_run", "dry_run"), (.post, "v1/policies?dry-run=yes", "dry-run"),
        (.post, "v1/policies?dry-run=TRUE", "dry-run"), (.post, "v1/policies?dry-run=false&dry-run", "dry-run"),
        (.post, "v1/policies?DRY-RUN", "DRY-RUN"), (.post, "v1/policies?name=%zz", "%zz"),
        (.post, "v1/policies?name=%+1", "%+1"), (.post, "v1/policies?name=%ff", "%ff"),
        (.delete, "v1/policies/NetworkPolicy/a/b?dryrun", "dryrun"), (.delete, "v1/policies/x/y?name=z", "name"),
        (.post, "v1/policies/diff?dry-run", "dry-run"), (.post, "v1/policies/validate?force", "force"),
        (.post, "v1/policies/compile?x", "x"), (.post, "v1/config/audit?mode=on&force", "force"),
        (.post, "v1/config/audit?mode=on&mode=off", "mode"), (.post, "v1/endpoints/web/audit?mode=on&x", "x"),
        (.post, "v1/explain?dry-run", "dry-run"), (.post, "v1/detach?dry-run", "dry-run"),
        (.get, "v1/status?x=1", "x"), (.get, "v1/endpoints?limit=1", "limit"), (.get, "v1/endpoints/web?x", "x"),
        (.get, "v1/identities?x", "x"), (.get, "v1/policies?x", "x"), (.get, "v1/maps/policy?limits=1", "limits"),
        (.get, "v1/flows?follow=yes", "follow"), (.get, "v1/flows?last=1&last=2", "last"),
    ]) func `an item that a route does not understand is refused by name`(
        method: APIMethod, target: String, item: String
    ) async throws {
        let router = ControlRouter(service: service, access: AccessRule { _ in false })
        let answer = await router.respond(
            to: LocalRequest(
                method: method.rawValue, target: "/" + target,
                peer: PeerCredentials(processID: 1, userID: 0, groupID: 0)))
        #expect(answer.status == 400)
        guard case .bytes(let bytes) = answer.body else { throw APIError(.badRequest, "no body") }
        #expect(String(decoding: bytes, as: UTF8.self).contains(item))
        #expect(service.calls.isEmpty)
    }

    @Test(arguments: [("", true), ("true", true), ("1", true), ("false", false), ("0", false)])
    func `a flag is said in five ways`(value: String, isOn: Bool) async {
        let router = ControlRouter(service: service, access: AccessRule { _ in false })
        _ = await router.respond(
            to: APIRequest(
                method: .post, path: ["v1", "policies"], query: [("dry-run", value)], body: Array("kind: x".utf8),
                peer: APIPeer(userID: 0, groupID: 0, processID: 1)))
        #expect(service.calls == ["apply <request> 7 dry=\(isOn) force=false"])
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
