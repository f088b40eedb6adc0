// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesReading
import Testing

/// What the client relies on of any API server; the double and real ones are held against the same words.
@Suite(.timeLimit(.minutes(5))) struct ConformanceTests {
    @Test func `an informer tells what there is, and then what becomes of it`() async throws {
        try await APIServer.run { server in
            _ = try await server.client.create(.leases, namespace: server.namespace, server.lease("a", holder: "one"))
            try await server.holders().follow { known in
                #expect(await known.becomes(["a": "one"]))
                _ = try await server.client.create(
                    .leases, namespace: server.namespace, server.lease("b", holder: "two"))
                #expect(await known.becomes(["a": "one", "b": "two"]))
                _ = try await server.client.apply(
                    .leases, server.key("a"), ["spec": ["holderIdentity": "three"]], manager: "bulkhead-test")
                #expect(await known.becomes(["a": "three", "b": "two"]))
                try await server.client.delete(.leases, server.key("b"))
                #expect(await known.becomes(["a": "three"]))
                #expect(await known.lists == 1)
                #expect(await known.last == .connected)
            }
        }
    }

    @Test func `selectors choose`() async throws {
        try await APIServer.run { server in
            for name in ["a", "b"] {
                _ = try await server.client.create(
                    .leases, namespace: server.namespace, server.lease(name, holder: "h\(name)"))
            }
            try await server.holders(fieldSelector: "metadata.name=a").follow { known in
                #expect(await known.becomes(["a": "ha"]))
            }
            try await server.holders(labelSelector: "app=hb").follow { known in
                #expect(await known.becomes(["b": "hb"]))
                _ = try await server.client.apply(
                    .leases, server.key("b"), ["metadata": ["labels": ["app": "other"]]], manager: "bulkhead-test")
                #expect(await known.becomes([:]), "what is chosen no more is gone")
            }
        }
    }

    @Test func `lists come in pages of one version`() async throws {
        try await APIServer.run { server in
            for number in 0..<7 {
                _ = try await server.client.create(
                    .leases, namespace: server.namespace, server.lease("l\(number)", holder: "x"))
            }
            var names: [String] = []
            var next: String? = ""
            var pages = 0
            while let token = next {
                let target =
                    ResourceKind.leases.path(namespace: server.namespace) + "?limit=3"
                    + (token.isEmpty ? "" : "&continue=\(token)")
                let page = try ListPage(try await server.client.send("GET", target), request: "page")
                #expect(page.forEach { names.append($0.key.name) } == 0)
                next = page.next
                pages += 1
            }
            #expect(pages == 3 && names.sorted() == (0..<7).map { "l\($0)" })
        }
    }

    @Test func `who writes over somebody else's change is refused`() async throws {
        try await APIServer.run { server in
            let made = try await server.client.create(
                .leases, namespace: server.namespace, server.lease("a", holder: "one"))
            var object = server.lease("a", holder: "two")
            object["metadata"]?["resourceVersion"] = .string(made.meta.resourceVersion ?? "")
            _ = try await server.client.replace(.leases, server.key("a"), object)
            await #expect { try await server.client.replace(.leases, server.key("a"), object) } throws: {
                ($0 as? KubernetesError)?.kind == .conflict
            }
            await #expect {
                try await server.client.create(.leases, namespace: server.namespace, object)
            } throws: { ($0 as? KubernetesError)?.kind == .conflict || ($0 as? KubernetesError)?.kind == .refused }
            let read = try await server.client.get(.leases, server.key("a"))
            #expect(Lease(read).holder == "two")
        }
    }

    @Test func `what is not there is not found, and a kind that is not there is known to be absent`() async throws {
        try await APIServer.run { server in
            await #expect { try await server.client.get(.leases, server.key("none")) } throws: {
                ($0 as? KubernetesError)?.kind == .notFound
            }
            let wasThere = try await server.client.delete(.leases, server.key("none"))
            #expect(!wasThere)
            for kind in [ResourceKind.leases, .pods] { #expect(await !server.client.lacks(kind), "\(kind)") }
            for (group, version) in [("coordination.k8s.io", "v1"), ("coordination.k8s.io", "v0"), ("none.test", "v1")]
            {
                let kind = ResourceKind(group: group, version: version, plural: "frobnicators", kind: "Frobnicator")
                #expect(await server.client.lacks(kind), "\(kind) \(version)")
            }
        }
    }

    @Test func `an election has one winner`() async throws {
        try await APIServer.run { server in
            let winner = AsyncStream.makeStream(of: String.self)
            await withTaskGroup(of: Void.self) { group in
                for name in ["one", "two"] {
                    let elector = LeaderElector(server.client, lease: server.key("leader"), identity: name)
                    group.addTask {
                        await elector.run(lead: {
                            winner.continuation.yield(name)
                            while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(50)) }
                        })
                    }
                }
                for await name in winner.stream {
                    let lease = (try? await server.client.get(.leases, server.key("leader"))).map { Lease($0) }
                    #expect(lease?.holder == name && lease?.seconds == 15)
                    break
                }
                group.cancelAll()
            }
            let left = try await server.client.get(.leases, server.key("leader"))
            #expect(Lease(left).holder.isEmpty, "it resigned")
        }
    }

    @Test func `an event is taken`() async throws {
        try await APIServer.run { server in
            let made = try await server.client.create(
                .leases, namespace: server.namespace, server.lease("a", holder: "one"))
            let recorder = EventRecorder(server.client, controller: "bulkhead.test/conformance", instance: "here")
            try await recorder.record(
                .init("Tried", action: "Trying", "it was tried"), about: .init(.leases, made))
            let path = ResourceKind.events.path(namespace: server.namespace)
            let events = try JSONView(try await server.client.send("GET", path))["items"]?.elements ?? []
            #expect(events.contains { $0["regarding"]?["name"]?.string == "a" && $0["reason"]?.string == "Tried" })
        }
    }
}
