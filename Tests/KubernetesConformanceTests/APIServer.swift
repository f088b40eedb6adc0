// SPDX-License-Identifier: Apache-2.0

import Foundation
import KubernetesClient
import KubernetesDouble
import KubernetesReading
import Testing

/// The server to test against: that of the kubeconfig that `make test-kubernetes` names, or the double.
///
/// Nothing here knows which of the two it is, so that what holds for one is held against the other.
struct APIServer: Sendable {
    let client: KubernetesClient
    /// Of this test alone, so that tests do not see one another.
    let namespace: String
    private let double: KubernetesDouble?

    /// Runs a test in a namespace of its own, and takes away what it leaves.
    static func run(_ body: (APIServer) async throws -> Void) async throws {
        let server = try await APIServer()
        do {
            try await body(server)
        } catch {
            try await server.end()
            throw error
        }
        try await server.end()
    }

    private init() async throws {
        if let path = ProcessInfo.processInfo.environment["BULKHEAD_TEST_KUBECONFIG"], !path.isEmpty {
            double = nil
            client = KubernetesClient(try .kubeconfig(path))
        } else {
            let double = try await KubernetesDouble.start()
            self.double = double
            client = KubernetesClient(KubernetesConfiguration(server: double.url))
        }
        namespace = "bulkhead-test-\(UInt32.random(in: 0...UInt32.max))"
        _ = try await client.create(.namespaces, ["metadata": ["name": .string(namespace)]])
    }

    private func end() async throws {
        // Without a controller manager beside the server nothing in a namespace goes with it.
        for kind in [ResourceKind.leases, .networkPolicies] {
            let list = try JSONView(try await client.send("GET", kind.path(namespace: namespace)))
            for object in list["items"]?.elements ?? [] {
                guard let name = object["metadata"]?["name"]?.string else { continue }
                try await client.delete(kind, key(name))
            }
        }
        try await client.delete(.namespaces, ObjectKey(name: namespace))
        await client.shutDown()
        await double?.stop()
    }

    func key(_ name: String) -> ObjectKey { ObjectKey(namespace: namespace, name: name) }

    /// A lease is an object that nothing in a cluster acts on.
    func lease(_ name: String, holder: String) -> JSONValue {
        [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": ["app": .string(holder)]],
            "spec": ["holderIdentity": .string(holder), "leaseDurationSeconds": 30],
        ]
    }

    /// The holders of the namespace's leases, by name, as an informer tells them.
    func holders(fieldSelector: String? = nil, labelSelector: String? = nil) -> Informer<String> {
        Informer(.leases, client, namespace: namespace, fieldSelector: fieldSelector, labelSelector: labelSelector) {
            Lease($0).holder
        }
    }
}

/// What an informer told so far.
actor Known {
    private(set) var objects: [String: String] = [:]
    private(set) var lists = 0
    private(set) var last: InformerStatus?

    func take(_ change: InformerChange<String>) {
        switch change {
        case .replaced(let all, _):
            lists += 1
            objects = Dictionary(uniqueKeysWithValues: all.map { ($0.key.name, $0.value) })
        case .upserted(let key, let value): objects[key.name] = value
        case .removed(let key): objects[key.name] = nil
        case .status(let status): last = status
        }
    }

    /// Waits until the objects are these.
    func becomes(_ expected: [String: String]) async -> Bool {
        for _ in 0..<3_000 {
            if objects == expected { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

extension Informer where Object == String {
    /// Follows while a test runs.
    func follow(_ body: (Known) async throws -> Void) async throws {
        let known = Known()
        let task = Task { [self] in for await change in changes() { await known.take(change) } }
        defer { task.cancel() }
        try await body(known)
    }
}
