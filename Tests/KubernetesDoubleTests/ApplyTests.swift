// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import NIOHTTP1
import Testing

struct ApplyTests {
    private static let path = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/web"

    private static func apply(
        _ client: ProbeClient, _ manager: String, _ object: JSON, path: String = path, force: Bool = false
    ) async throws -> ProbeClient.Response {
        try await client.send(
            .PATCH, "\(path)?fieldManager=\(manager)\(force ? "&force=true" : "")",
            headers: [("Content-Type", "application/apply-patch+yaml")], body: object)
    }

    private static func policy(_ members: (String, JSON)..., labels: [String: String] = [:]) -> JSON {
        var policy: JSON = [
            "kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1",
            "metadata": ["name": "web", "labels": JSON(labels)],
        ]
        for (key, value) in members { policy["spec", key] = value }
        return policy
    }

    @Test func `an apply makes an object, again it changes nothing`() async throws {
        let (double, client) = try await doubleWithPods([])
        let object = Self.policy(("podSelector", ["matchLabels": ["app": "web"]]))
        let made = try await Self.apply(client, "one", object)
        #expect(made.code == 201)
        let entry = made.json["metadata", "managedFields"]?.elements?.first
        #expect(entry?["manager"] == "one")
        #expect(entry?["operation"] == "Apply")
        #expect(entry?["fieldsV1", "f:spec", "f:podSelector", "f:matchLabels", "f:app"] == [:])
        let again = try await Self.apply(client, "one", object)
        #expect(again.code == 200)
        #expect(again.version == made.version)
        #expect(try await Self.apply(client, "", object).code == 422)
        await double.stop()
    }

    @Test func `what one owns another changes by force only`() async throws {
        let (double, client) = try await doubleWithPods([])
        _ = try await Self.apply(client, "one", Self.policy(labels: ["team": "a"]))
        let refused = try await Self.apply(client, "two", Self.policy(labels: ["team": "b"]))
        #expect(refused.code == 409)
        #expect(refused.json["message"] == "Apply failed with 1 conflict")
        let cause = refused.json["details", "causes"]?.elements?.first
        #expect(cause?["reason"] == "FieldManagerConflict")
        #expect(cause?["field"] == ".metadata.labels.team")
        #expect(try await Self.apply(client, "two", Self.policy(labels: ["team": "a"])).code == 200)
        let taken = try await Self.apply(client, "two", Self.policy(labels: ["team": "b"]), force: true)
        #expect(taken.json["metadata", "labels", "team"] == "b")
        #expect(try await Self.apply(client, "one", Self.policy(labels: ["team": "a"])).code == 409)
        await double.stop()
    }

    @Test func `what its owner leaves out goes, what others own stays`() async throws {
        let (double, client) = try await doubleWithPods([])
        _ = try await Self.apply(client, "one", Self.policy(labels: ["a": "1", "b": "1"]))
        _ = try await Self.apply(client, "two", Self.policy(labels: ["b": "1", "c": "1"]))
        let after = try await Self.apply(client, "one", Self.policy(("policyTypes", ["Ingress"])))
        #expect(after.json["metadata", "labels"] == ["b": "1", "c": "1"])
        #expect(after.json["spec", "policyTypes"] == ["Ingress"])
        await double.stop()
    }

    @Test func `conditions of several managers stand beside each other`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let path = "/api/v1/namespaces/default/pods/a/status"
        func condition(_ type: String, _ status: JSON) -> JSON {
            [
                "kind": "Pod", "apiVersion": "v1", "metadata": ["name": "a"],
                "status": ["conditions": [["type": .string(type), "status": status]]],
            ]
        }
        _ = try await Self.apply(client, "one", condition("A", "True"), path: path)
        _ = try await Self.apply(client, "two", condition("B", "True"), path: path)
        let changed = try await Self.apply(client, "one", condition("A", "False"), path: path)
        #expect(
            changed.json["status", "conditions"] == [
                ["type": "A", "status": "False"], ["type": "B", "status": "True"],
            ])
        #expect(changed.json["spec", "nodeName"] == "n1")
        await double.stop()
    }

    @Test func `an update makes its author the owner of what it changed`() async throws {
        let (double, client) = try await doubleWithPods([])
        let made = try await Self.apply(client, "one", Self.policy(labels: ["team": "a"]))
        var object = made.json
        object["metadata", "labels", "team"] = "b"
        let updated = try await client.send(
            .PUT, Self.path, headers: [("User-Agent", "kubectl/v1.36")], body: object)
        #expect(updated.code == 200)
        let refused = try await Self.apply(client, "one", Self.policy(labels: ["team": "a"]))
        #expect(refused.code == 409)
        #expect(
            refused.json["details", "causes"]?.elements?.first?["message"]
                == "conflict with \"kubectl\" using networking.k8s.io/v1")
        await double.stop()
    }
}
