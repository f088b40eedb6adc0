// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesDouble
import Testing

/// What clients write.
@Suite(.timeLimit(.minutes(2))) struct WritingTests {
    private func run(_ body: (KubernetesClient, KubernetesDouble) async throws -> Void) async throws {
        let double = try await KubernetesDouble.start()
        double.store.put(namespace: "shop")
        let client = KubernetesClient(KubernetesConfiguration(server: double.url))
        try await body(client, double)
        await client.shutDown()
        await double.stop()
    }

    private let key = ObjectKey(namespace: "shop", name: "web")

    @Test func `objects are created, read, replaced and deleted`() async throws {
        try await run { client, _ in
            let object: JSONValue = ["metadata": ["name": "web", "namespace": "shop", "labels": ["app": "one"]]]
            let made = try await client.create(.pods, namespace: "shop", object)
            #expect(made.key == key && made.meta.resourceVersion != nil)
            await #expect { try await client.create(.pods, namespace: "shop", object) } throws: {
                ($0 as? KubernetesError)?.kind == .conflict
            }
            var other = object
            other["metadata"]?["resourceVersion"] = "99999"
            await #expect { try await client.replace(.pods, key, other) } throws: {
                ($0 as? KubernetesError)?.kind == .conflict
            }
            let version = try #require(made.meta.resourceVersion)
            other["metadata"]?["resourceVersion"] = .string(version)
            other["metadata"]?["labels"] = ["app": "two"]
            _ = try await client.replace(.pods, key, other)
            let pod = try Pod(try await client.get(.pods, key))
            #expect(pod.metadata.labels?["app"] == "two")
            let wasThere = try await client.delete(.pods, key)
            let isThere = try await client.delete(.pods, key)
            #expect(wasThere && !isThere, "that it is gone is no failure")
            await #expect { try await client.get(.pods, key) } throws: { ($0 as? KubernetesError)?.kind == .notFound }
        }
    }

    @Test func `what is applied is merged under our name, and status apart`() async throws {
        try await run { client, double in
            _ = try await client.apply(.pods, key, ["spec": ["nodeName": "n1"]], manager: "bulkhead/agent 1")
            let request = try #require(double.counters.requests.last)
            #expect(request.method == "PATCH" && request.code == 201)
            #expect(
                request.uri
                    == "/api/v1/namespaces/shop/pods/web?fieldManager=bulkhead%2Fagent%201&force=true")
            _ = try await client.patchStatus(.pods, key, ["phase": "Running"])
            _ = try await client.apply(
                .pods, key, ["status": ["podIP": "10.0.0.1"]], manager: "b", subresource: "status")
            let pod = try Pod(try await client.get(.pods, key))
            #expect(pod.spec?.nodeName == "n1" && pod.status?.phase == "Running" && pod.status?.podIP == "10.0.0.1")
        }
    }

    @Test func `events are about their object, and short enough`() async throws {
        try await run { client, double in
            let recorder = EventRecorder(client, controller: "bulkhead.dev/agent", instance: "n1")
            let long = String(repeating: "ü", count: 800)
            try await recorder.record(
                .init("PolicyRefused", action: "Validating", long, isWarning: true),
                about: .init(.networkPolicies, key, uid: "u-1"))
            try await recorder.record(
                .init("NodeReady", action: "Starting", "ready"), about: .init(.nodes, ObjectKey(name: "n1"), uid: ""))
            let names = double.counters.requests.map(\.uri)
            #expect(
                names == [
                    "/apis/events.k8s.io/v1/namespaces/shop/events", "/apis/events.k8s.io/v1/namespaces/default/events",
                ])
            let list = try JSONView(try await client.send("GET", "/apis/events.k8s.io/v1/events"))
            let events = try #require(list["items"]).elements
            let refused = try #require(events.first { $0["reason"]?.string == "PolicyRefused" })
            let note = try #require(refused["note"]?.string)
            #expect(note.utf8.count <= 1_024 && note.utf8.count > 1_015 && note.hasSuffix("ü…"))
            #expect(refused["type"]?.string == "Warning" && refused["regarding"]?["uid"]?.string == "u-1")
            #expect(refused["regarding"]?["kind"]?.string == "NetworkPolicy")
            #expect(refused["eventTime"]?.string.flatMap(RFC3339.microseconds) != nil)
        }
    }
}
