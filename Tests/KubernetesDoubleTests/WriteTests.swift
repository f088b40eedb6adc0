// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import NIOHTTP1
import Testing

struct WriteTests {
    private static let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"

    @Test func `an object is made once, and told by its name`() async throws {
        let (double, client) = try await doubleWithPods([])
        let made = try await client.send(.POST, "/api/v1/namespaces/default/pods", body: pod("a"))
        #expect(made.code == 201)
        #expect(made.json["status", "phase"] == "Pending")
        #expect(made.json["metadata", "creationTimestamp"] != nil)
        let again = try await client.send(.POST, "/api/v1/namespaces/default/pods", body: pod("a"))
        #expect(again.code == 409)
        #expect(again.json["reason"] == "AlreadyExists")
        #expect(try await client.get("/api/v1/namespaces/default/pods/a").json["kind"] == "Pod")
        let missing = try await client.get("/api/v1/namespaces/default/pods/b")
        #expect(missing.code == 404)
        #expect(missing.json["message"] == "pods \"b\" not found")
        #expect(try await client.send(.POST, "/api/v1/namespaces/none/pods", body: pod("a")).code == 404)
        await double.stop()
    }

    @Test func `an update of an older version is a conflict`() async throws {
        let (double, client) = try await doubleWithPods([])
        let lease: JSON = ["metadata": ["name": "leader"], "spec": ["holderIdentity": "one"]]
        let made = try await client.send(.POST, Self.leases, body: lease)
        var mine = made.json
        mine["spec", "holderIdentity"] = "two"
        #expect(try await client.send(.PUT, Self.leases + "/leader", body: mine).code == 200)
        let late = try await client.send(.PUT, Self.leases + "/leader", body: mine)
        #expect(late.code == 409)
        #expect(late.json["reason"] == "Conflict")
        #expect(try await client.send(.PUT, Self.leases + "/leader", body: lease).code == 422)
        await double.stop()
    }

    @Test func `status is written through its own path only`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let patch: JSON = ["spec": ["nodeName": "n9"], "status": ["phase": "Running"]]
        let merge = [("Content-Type", "application/merge-patch+json")]
        let path = "/api/v1/namespaces/default/pods/a"
        let status = try await client.send(.PATCH, path + "/status", headers: merge, body: patch)
        #expect(status.json["status", "phase"] == "Running")
        #expect(status.json["spec", "nodeName"] == "n1")
        let main = try await client.send(.PATCH, path, headers: merge, body: ["status": ["phase": "Failed"]])
        #expect(main.json["status", "phase"] == "Running")
        #expect(main.version == status.version)
        await double.stop()
    }

    @Test func `a pod on a node is marked until nobody waits for it`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let path = "/api/v1/namespaces/default/pods/a"
        let marked = try await client.send(.DELETE, path)
        #expect(marked.json["metadata", "deletionTimestamp"] != nil)
        #expect(double.store.count(.pods) == 1)
        let gone = try await client.send(.DELETE, path, body: ["gracePeriodSeconds": 0])
        #expect(gone.code == 200)
        #expect(double.store.count(.pods) == 0)
        await double.stop()
    }

    @Test func `names and labels keep their syntax`() async throws {
        let (double, client) = try await doubleWithPods([])
        let pods = "/api/v1/namespaces/default/pods"
        #expect(try await client.send(.POST, pods, body: pod("Upper")).code == 422)
        let label = try await client.send(.POST, pods, body: pod("a", labels: ["app": "no spaces"]))
        #expect(label.code == 422)
        #expect(label.json["details", "causes"]?.elements?.first?["field"] == "metadata.labels")
        #expect(try await client.send(.POST, pods, body: pod("a.b", labels: ["x.io/app": "a_b.c"])).code == 201)
        await double.stop()
    }

    @Test func `a custom resource comes and goes with its definition`() async throws {
        let (double, client) = try await doubleWithPods([])
        let definition: JSON = [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": "widgets.example.org"],
            "spec": [
                "group": "example.org", "scope": "Namespaced", "names": ["plural": "widgets", "kind": "Widget"],
                "versions": [["name": "v1", "served": true, "storage": true]],
            ],
        ]
        let widgets = "/apis/example.org/v1/widgets"
        #expect(try await client.get(widgets).code == 404)
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        #expect(try await client.send(.POST, definitions, body: definition).code == 201)
        #expect(try await client.get("/apis/example.org/v1").json["resources"]?.elements?.count == 1)
        let widget: JSON = ["kind": "Widget", "apiVersion": "example.org/v1", "metadata": ["name": "w"]]
        #expect(
            try await client.send(.POST, "/apis/example.org/v1/namespaces/default/widgets", body: widget).code == 201)
        let list = try await client.get(widgets)
        #expect(list.json["items"]?.elements?.first?["kind"] == "Widget")
        let watch = try await client.watch("\(widgets)?watch=1&resourceVersion=\(list.version)")
        let name = ResourceName(group: "example.org", plural: "widgets")
        for _ in 0..<3_000 where double.counters.openWatches(of: name) == 0 {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try await client.send(.DELETE, definitions + "/widgets.example.org").code == 200)
        #expect(try await watch.next() == nil)
        #expect(watch.hasEnded)
        #expect(try await client.get(widgets).code == 404)
        await double.stop()
    }
}
