// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import NIOHTTP1
import Testing

@Suite(.timeLimit(.minutes(2))) struct LoadTests {
    @Test func `a made-up cluster has what was asked for, spread over its nodes`() async throws {
        let (double, client) = try await doubleWithPods([])
        try double.load.make(ClusterSize(nodes: 10, pods: 600, policies: 40))
        #expect(double.store.count(.nodes) == 10)
        #expect(double.store.count(.pods) == 600)
        #expect(double.store.count(.networkPolicies) == 40)
        let own = try await client.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-00003")
        #expect(own.names.count == 60)
        let addresses = try await client.get("/api/v1/pods").json["items"]?.elements?.compactMap {
            $0["status", "podIP"]?.text
        }
        #expect(Set(addresses ?? []).count == 600)
        await double.stop()
    }

    @Test func `churn is told to watches and keeps the number of pods`() async throws {
        let (double, client) = try await doubleWithPods([])
        try double.load.make(ClusterSize(nodes: 3, pods: 30, policies: 0))
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(double.store.version)")
        for _ in 0..<4 { double.load.change() }
        var types: [String] = []
        for _ in 0..<5 { types.append(try #require(try await watch.next()?["type"]?.text)) }
        #expect(types == ["MODIFIED", "MODIFIED", "MODIFIED", "DELETED", "ADDED"])
        #expect(double.store.count(.pods) == 30)
        double.load.startChurn(perSecond: 1000)
        while double.load.changes < 105 { try await Task.sleep(for: .milliseconds(5)) }
        double.load.stopChurn()
        // A pod may just be on its way to be another one.
        for _ in 0..<600 where double.store.count(.pods) != 30 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(double.store.count(.pods) == 30)
        await double.stop()
    }

    @Test func `another process has the same power over HTTP`() async throws {
        var options = DoubleOptions()
        options.hasControl = true
        let (double, client) = try await doubleWithPods([], options: options)
        #expect(
            try await client.send(
                .PUT, "/_double/objects/api/v1/namespaces/shop/pods/a", body: ["status": ["phase": "Running"]]
            ).code == 200)
        #expect(try await client.get("/api/v1/namespaces/shop/pods/a").json["status", "phase"] == "Running")
        let fault: JSON = ["fault": "failure", "code": 503, "reason": "ServiceUnavailable", "resource": "pods"]
        let set = try await client.send(.POST, "/_double/faults", body: fault)
        #expect(try await client.get("/api/v1/pods").code == 503)
        let number = try #require(set.json["number"]?.integer)
        #expect(try await client.send(.DELETE, "/_double/faults?number=\(number)").code == 200)
        #expect(try await client.get("/api/v1/pods").names == ["a"])
        #expect(try await client.send(.POST, "/_double/faults", body: ["fault": "unheard-of"]).code == 400)
        #expect(try await client.send(.POST, "/_double/compact?resource=pods").code == 200)
        #expect(
            try await client.send(.POST, "/_double/load", body: ["nodes": 2, "pods": 4, "policies": 1]).code == 200)
        #expect(double.store.count(.pods) == 5)
        let counters = try await client.get("/_double/counters")
        #expect(counters.json["requests", "list pods 503"] == 1)
        #expect(try await client.send(.DELETE, "/_double/objects/api/v1/namespaces/shop/pods/a").code == 200)
        #expect(double.store.count(.pods) == 4)
        await double.stop()
    }

    @Test func `what happens while nobody is served is there afterwards`() async throws {
        var options = DoubleOptions()
        options.hasControl = true
        let (double, client) = try await doubleWithPods(["a"], options: options)
        let changes: JSON = [
            "apply": [["kind": "Pod", "apiVersion": "v1", "metadata": ["name": "b"]]],
            "remove": ["api/v1/namespaces/default/pods/a"],
        ]
        // It may be gone before it has answered.
        _ = try? await client.send(.POST, "/_double/down?milliseconds=10", body: changes)
        var names: [String]?
        while names != ["b"] {
            names = try? await client.get("/api/v1/namespaces/default/pods").names
            try await Task.sleep(for: .milliseconds(20))
        }
        await double.stop()
    }

    @Test func `without leave nobody controls the server`() async throws {
        let (double, client) = try await doubleWithPods([])
        #expect(try await client.get("/_double/counters").code == 404)
        await double.stop()
    }
}
