// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import NetworkModel

@testable import ClusterSchema

/// A store's content for tests: nodes, workloads, policies by short names.
enum StoreFixture {
    static let layout = StoreLayout(prefix: "/t")

    static func node(_ name: String, isComplete: Bool = true, _ revision: Int64 = 1) -> StoreEntry {
        entry(
            .node(name), StoredNode(instance: "i-\(name)", agent: "1", since: "then", complete: isComplete).bytes,
            revision)
    }

    static func workload(_ node: String, _ name: String, app: String = "web", _ revision: Int64 = 1) -> StoreEntry {
        entry(.workload(node: node, name: name), StoredWorkload(cluster(node, app: app)).bytes, revision)
    }

    static func cluster(_ node: String, app: String = "web") -> ClusterWorkload {
        ClusterWorkload(
            node: node, labels: LabelSet([Label(source: "k8s", key: "app", value: app)]),
            addresses: [IPAddress("10.0.0.1")].compactMap(\.self),
            namedPorts: NamedPorts([NamedPort(proto: .tcp, name: "http"): [8080]]))
    }

    static func document(_ name: String, _ text: String, _ revision: Int64 = 1) -> StoreEntry {
        entry(.document(name), StoredDocument(text: text, appliedBy: "me", appliedAt: "then").bytes, revision)
    }

    static func entry(_ key: StoreKey, _ value: [UInt8], _ revision: Int64 = 1, lease: Int64 = 7) -> StoreEntry {
        StoreEntry(key: layout.text(key) ?? "", value: value, revision: revision, lease: lease)
    }

    static func gone(_ key: StoreKey, _ revision: Int64 = 2) -> StoreEvent {
        .delete(key: layout.text(key) ?? "", revision: revision)
    }
}

extension String {
    var bytes: [UInt8] { Array(utf8) }
}
