// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import Testing

/// A double with pods a, b, c … in the default namespace, and a client for it.
func doubleWithPods(
    _ names: [String], options: DoubleOptions = DoubleOptions()
) async throws -> (KubernetesDouble, ProbeClient) {
    let double = try await KubernetesDouble.start(options)
    for name in names { try double.store.apply(pod(name)) }
    return (double, ProbeClient(port: double.port))
}

func pod(_ name: String, node: String = "n1", labels: [String: String] = [:]) -> JSON {
    [
        "kind": "Pod", "apiVersion": "v1", "metadata": ["name": .string(name), "labels": JSON(labels)],
        "spec": ["nodeName": .string(node)],
    ]
}

struct ListTests {
    @Test func `a list has a kind, a version and items without kinds`() async throws {
        let (double, client) = try await doubleWithPods(["b", "a"])
        let list = try await client.get("/api/v1/pods")
        #expect(list.code == 200)
        #expect(list.json["kind"] == "PodList")
        #expect(list.json["apiVersion"] == "v1")
        #expect(list.version == String(double.store.version))
        #expect(list.names == ["a", "b"])
        #expect(list.json["items"]?.elements?.first?["kind"] == nil)
        #expect(list.json["items"]?.elements?.first?["metadata", "uid"] != nil)
        await double.stop()
    }

    @Test func `pages show the state of the first one, to their end`() async throws {
        let (double, client) = try await doubleWithPods(["a", "b", "c", "d", "e"])
        let first = try await client.get("/api/v1/pods?limit=2")
        #expect(first.names == ["a", "b"])
        #expect(first.json["metadata", "remainingItemCount"] == 3)
        double.store.remove(.pods, namespace: "default", name: "c")
        try double.store.apply(pod("bb"))
        let token = try #require(first.json["metadata", "continue"]?.text)
        let second = try await client.get("/api/v1/pods?limit=2&continue=\(token)")
        #expect(second.names == ["c", "d"])
        #expect(second.version == first.version)
        let next = try #require(second.json["metadata", "continue"]?.text)
        let third = try await client.get("/api/v1/pods?limit=2&continue=\(next)")
        #expect(third.names == ["e"])
        #expect(third.json["metadata", "continue"] == nil)
        await double.stop()
    }

    @Test func `a continue token ends with the past that it reads, and says how to go on without`() async throws {
        let (double, client) = try await doubleWithPods(["a", "b", "c"])
        let first = try await client.get("/api/v1/pods?limit=2")
        let token = try #require(first.json["metadata", "continue"]?.text)
        try double.store.apply(pod("d"))
        double.store.compact()
        let expired = try await client.get("/api/v1/pods?limit=2&continue=\(token)")
        #expect(expired.code == 410)
        #expect(expired.json["reason"] == "Expired")
        let inconsistent = try #require(expired.json["metadata", "continue"]?.text)
        let rest = try await client.get("/api/v1/pods?continue=\(inconsistent)")
        #expect(rest.names == ["c", "d"])
        await double.stop()
    }

    @Test(arguments: [
        ("labelSelector=app%3Dweb", ["a"]), ("labelSelector=app%20in%20(web,db)", ["a", "b"]),
        ("labelSelector=app!%3Dweb", ["b", "c"]), ("labelSelector=!app", ["c"]), ("labelSelector=app", ["a", "b"]),
        ("labelSelector=app%20notin%20(db)", ["a", "c"]), ("fieldSelector=spec.nodeName%3Dn2", ["b"]),
        ("fieldSelector=metadata.name%3Dc", ["c"]), ("fieldSelector=spec.nodeName!%3Dn2", ["a", "c"]),
    ])
    func `selectors choose`(query: String, expected: [String]) async throws {
        let (double, client) = try await doubleWithPods([])
        try double.store.apply([
            pod("a", labels: ["app": "web"]), pod("b", node: "n2", labels: ["app": "db"]), pod("c"),
        ])
        #expect(try await client.get("/api/v1/pods?\(query)").names == expected)
        await double.stop()
    }

    @Test func `versions of the future, the past and of nobody are refused each in its way`() async throws {
        let (double, client) = try await doubleWithPods(["a", "b"])
        let version = double.store.version
        let future = try await client.get(
            "/api/v1/pods?resourceVersion=\(version + 9)&resourceVersionMatch=NotOlderThan")
        #expect(future.code == 504)
        #expect(future.json["details", "causes"]?.elements?.first?["reason"] == "ResourceVersionTooLarge")
        #expect(future.json["details", "retryAfterSeconds"] == 1)
        #expect(try await client.get("/api/v1/pods?resourceVersion=soon").code == 500)
        let exact = "/api/v1/pods?resourceVersion=\(version - 1)&resourceVersionMatch=Exact"
        #expect(try await client.get(exact).names == ["a"])
        double.store.compact()
        let gone = try await client.get(exact)
        #expect(gone.code == 410)
        #expect(gone.json["kind"] == "Status")
        await double.stop()
    }

    @Test func `partial objects have metadata alone`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
        let list = try await client.get("/api/v1/pods", headers: [("Accept", accept)])
        #expect(list.json["kind"] == "PartialObjectMetadataList")
        #expect(list.json["items"]?.elements?.first?["spec"] == nil)
        #expect(list.names == ["a"])
        let refused = try await client.get("/api/v1/pods", headers: [("Accept", "application/vnd.kubernetes.protobuf")])
        #expect(refused.code == 406)
        await double.stop()
    }

    @Test func `large lists are compressed for those who ask`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let gzip = [("Accept-Encoding", "gzip")]
        #expect(try await client.get("/api/v1/pods", headers: gzip).headers["content-encoding"] == nil)
        try double.load.make(ClusterSize(nodes: 1, pods: 100, policies: 0))
        let packed = try await client.get("/api/v1/pods", headers: gzip)
        #expect(packed.headers["content-encoding"] == "gzip")
        #expect(packed.body.starts(with: [0x1F, 0x8B]))
        let plain = try await client.get("/api/v1/pods")
        #expect(plain.names.count == 101)
        #expect(packed.body.count < plain.body.count / 3)
        await double.stop()
    }
}
