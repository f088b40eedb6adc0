// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import NIOHTTP1
import Testing

@Suite(.timeLimit(.minutes(2))) struct FaultTests {
    @Test func `a failure strikes its resource and verb, as often as it was told to`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        double.faults.set(
            .failure(429, reason: "TooManyRequests", retryAfter: 3), on: "pods", verb: .list, times: 1)
        #expect(try await client.get("/api/v1/nodes").code == 200)
        #expect(try await client.get("/api/v1/namespaces/default/pods/a").code == 200)
        let busy = try await client.get("/api/v1/pods")
        #expect(busy.code == 429)
        #expect(busy.headers["retry-after"] == "3")
        #expect(busy.json["reason"] == "TooManyRequests")
        #expect(try await client.get("/api/v1/pods").code == 200)
        #expect(double.counters.requests(.list, .pods, code: 429).count == 1)
        #expect(double.counters.requests(.list, .pods).count == 2)
        await double.stop()
    }

    @Test func `a page for people comes with 200`() async throws {
        let (double, client) = try await doubleWithPods([])
        let fault = double.faults.set(.html)
        let page = try await client.get("/api/v1/pods")
        #expect(page.code == 200)
        #expect(page.headers["content-type"]?.hasPrefix("text/html") == true)
        double.faults.clear(fault)
        #expect(try await client.get("/api/v1/pods").json["kind"] == "PodList")
        await double.stop()
    }

    @Test func `access that is refused is told with user, verb and place`() async throws {
        let (double, client) = try await doubleWithPods([])
        double.access.require(tokens: ["t1": DoubleUser("jane"), "t2": DoubleUser("joe")])
        double.faults.set(.forbidden(user: "jane"), on: "networkpolicies")
        let path = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
        #expect(try await client.get(path).code == 401)
        let refused = try await client.get(path, headers: [("Authorization", "Bearer t1")])
        #expect(refused.code == 403)
        #expect(
            refused.json["message"]?.text
                == "networkpolicies.networking.k8s.io is forbidden: User \"jane\" cannot list "
                + "resource \"networkpolicies\" in API group \"networking.k8s.io\" in the namespace \"default\"")
        #expect(try await client.get(path, headers: [("Authorization", "Bearer t2")]).code == 200)
        await double.stop()
    }

    @Test func `tokens of service accounts are accepted`() async throws {
        let (double, client) = try await doubleWithPods([])
        double.access.require(token: "admin")
        try double.store.set("api/v1/namespaces/default/serviceaccounts/agent")
        let made = try await client.send(
            .POST, "/api/v1/namespaces/default/serviceaccounts/agent/token",
            headers: [("Authorization", "Bearer admin")], body: ["spec": ["expirationSeconds": 600]])
        #expect(made.code == 201)
        let token = try #require(made.json["status", "token"]?.text)
        #expect(try await client.get("/api/v1/pods", headers: [("Authorization", "Bearer \(token)")]).code == 200)
        #expect(double.counters.requests.last?.user == "system:serviceaccount:default:agent")
        await double.stop()
    }

    @Test(arguments: [422, 400]) func `watch-lists are refused as an answer`(code: Int) async throws {
        let (double, client) = try await doubleWithPods(["a"])
        double.faults.set(.refusedWatchList(code: code))
        #expect(try await client.get(Self.watchList).code == code)
        await double.stop()
    }

    @Test func `watch-lists are refused as an event`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        double.faults.set(.failedWatchList)
        let watch = try await client.watch(Self.watchList)
        #expect(try await watch.next()?["type"] == "ERROR")
        #expect(watch.code == 200)
        #expect(try await watch.next() == nil)
        await double.stop()
    }

    @Test func `what is held back is told afterwards, and bookmarks do not run ahead of it`() async throws {
        var options = DoubleOptions()
        options.bookmarkMilliseconds = 20
        let (double, client) = try await doubleWithPods(["a"], options: options)
        let version = double.store.version
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(version)&allowWatchBookmarks=true")
        double.faults.set(.onlyBookmarks)
        try double.store.apply(pod("b"))
        for _ in 0..<5 {
            let line = try #require(try await watch.next())
            #expect(line["type"] == "BOOKMARK")
            #expect(line["object", "metadata", "resourceVersion"]?.text == String(version))
        }
        double.faults.clear()
        var event = try await watch.nextEvent()
        while event == "BOOKMARK" { event = try await watch.nextEvent() }
        #expect(event == "ADDED b")
        await double.stop()
    }

    @Test func `silence of one kind lets the others speak`() async throws {
        let (double, client) = try await doubleWithPods([])
        let version = double.store.version
        let pods = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(version)")
        let namespaces = try await client.watch("/api/v1/namespaces?watch=1&resourceVersion=\(version)")
        let silence = double.faults.set(.silence, on: "pods")
        try double.store.set("api/v1/namespaces/new/pods/a")
        #expect(try await namespaces.nextEvent() == "ADDED new")
        double.faults.clear(silence)
        #expect(try await pods.nextEvent() == "ADDED a")
        await double.stop()
    }

    @Test func `coalesced changes tell the last state`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(double.store.version)")
        double.faults.set(.coalescing(milliseconds: 200))
        try double.store.apply(pod("brief"))
        try double.store.apply(pod("b", labels: ["step": "1"]))
        try double.store.apply(pod("b", labels: ["step": "2"]))
        double.store.remove(.pods, namespace: "default", name: "brief")
        double.store.remove(.pods, namespace: "default", name: "a")
        let first = try #require(try await watch.next())
        #expect(first["type"] == "ADDED")
        #expect(first["object", "metadata", "labels", "step"] == "2")
        #expect(try await watch.nextEvent() == "DELETED a")
        await double.stop()
    }

    @Test func `a server that lags shows the past until it has caught up`() async throws {
        let (double, client) = try await doubleWithPods(["a", "b", "c"])
        let lag = double.faults.set(.lag(versions: 1))
        let list = try await client.get("/api/v1/pods")
        #expect(list.names == ["a", "b"])
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(list.version)")
        double.faults.clear(lag)
        #expect(try await watch.nextEvent() == "ADDED c")
        await double.stop()
    }

    @Test func `lines come in pieces`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        double.faults.set(.pieces(bytes: 7))
        let watch = try await client.watch("/api/v1/pods?watch=1")
        #expect(try await watch.nextEvent() == "ADDED a")
        #expect(watch.pieces.allSatisfy { $0 <= 7 })
        #expect(watch.pieces.count > 10)
        await double.stop()
    }

    @Test func `large objects and lines of any kind go through`() async throws {
        let (double, client) = try await doubleWithPods([])
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(double.store.version)")
        var large = pod("large")
        large["metadata", "annotations"] = ["blob": .string(String(repeating: "x", count: 1_500_000))]
        try double.store.apply(large)
        #expect(try await watch.nextEvent() == "ADDED large")
        double.inject(line: Array(#"{"type":"FROBNICATED","object":{"kind":"Pod"}}"#.utf8))
        #expect(try await watch.nextEvent() == "FROBNICATED")
        double.endWatches(with: APIError(code: 500, reason: "InternalError", message: "etcd is gone"))
        #expect(try await watch.next()?["object", "message"] == "etcd is gone")
        #expect(try await watch.next() == nil)
        #expect(watch.hasEnded)
        await double.stop()
    }

    @Test func `watches end when they are told to, and go on where they were`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(double.store.version)")
        try double.store.apply(pod("b"))
        let event = try #require(try await watch.next())
        double.endWatches(of: .pods)
        #expect(try await watch.next() == nil)
        #expect(watch.hasEnded)
        try double.store.apply(pod("c"))
        let version = event["object", "metadata", "resourceVersion"]?.text ?? ""
        let next = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(version)")
        #expect(try await next.nextEvent() == "ADDED c")
        await double.stop()
    }

    static let watchList =
        "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
}
