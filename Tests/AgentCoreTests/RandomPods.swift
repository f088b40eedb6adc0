// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import KubernetesClient
import NetworkModel
import PolicyOracle

@testable import AgentCore

/// Pods, namespaces and policies of a small universe in random change: as the API has them.
struct RandomPods {
    static let node = "here"
    /// Few enough that pods name each other's.
    static let addresses: [IPAddress] = ["10.1.0.", "fd00:1::"].flatMap { prefix in
        (1...10).compactMap { IPAddress(prefix + String($0)) }
    }
    private static let names = ["a", "b", "c", "d", "e"]
    private static let kinds = Dictionary(
        ResourceKind.documents.map { ("\($0.apiVersion) \($0.kind)", $0) }, uniquingKeysWith: { first, _ in first })

    var draw: RandomPolicyTest
    private(set) var pods: [ObjectKey: PodFacts] = [:]
    private(set) var namespaces: [ObjectKey: [String: String]] = [:]
    private var made = 0

    init(seed: UInt64) {
        draw = RandomPolicyTest(seed: seed)
        for name in ["default", "x", "y"] { namespaces[ObjectKey(name: name)] = namespaceLabels(name) }
        for _ in 0..<14 { _ = changePod() }
    }

    /// Something becomes of a pod; returns which.
    mutating func changePod() -> ObjectKey {
        let namespace = draw.pick(["default", "default", "x", "y"])
        let key = ObjectKey(namespace: namespace, name: draw.pick(Self.names))
        guard var pod = pods[key] else {
            pods[key] = newPod(key)
            return key
        }
        switch draw.number(1...10) {
        case 1, 2: pods[key] = nil
        // Another one of its name, perhaps on another node, as a StatefulSet makes them.
        case 3: pods[key] = newPod(key)
        case 4, 5: pod.isTerminating = true
        case 6: pod.hasEnded = true
        case 7: pod.labels = podLabels()
        case 8: pod.namedPorts = ports()
        case 9: pod.node = pod.node.isEmpty ? node() : pod.node
        default: if !pod.isHostNetwork, !pod.node.isEmpty { pod.addresses = draw.chance(20) ? [] : addresses() }
        }
        if pods[key]?.uid == pod.uid { pods[key] = pod }
        return key
    }

    /// Somebody labels a namespace otherwise; returns which.
    mutating func changeNamespace() -> ObjectKey {
        let key = ObjectKey(name: draw.pick(["default", "x", "y"]))
        namespaces[key] = namespaceLabels(key.name)
        return key
    }

    /// A policy, or what policies refer to, as the reader of documents takes it; nil: it is of a kind that no cluster has.
    mutating func document() -> (kind: ResourceKind, key: ObjectKey, text: [UInt8])? {
        let name = draw.number(0...7)
        let object = draw.policy(name)
        let kind = "\(object["apiVersion"]?.string ?? "") \(object["kind"]?.string ?? "")"
        guard let kind = Self.kinds[kind] else { return nil }
        var meta = ObjectMeta(name: object["metadata"]?["name"]?.string)
        meta.namespace = kind.isNamespaced ? object["metadata"]?["namespace"]?.string ?? "default" : nil
        let raw = RawObject(meta: meta, text: Array(object.json.utf8))
        return ClusterDocument.text(raw, kind).map { (kind, raw.key, $0) }
    }

    private mutating func newPod(_ key: ObjectKey) -> PodFacts {
        made += 1
        let isHost = draw.chance(10)
        let node = draw.chance(5) ? "" : node()
        // Who is nowhere yet has none.
        let hasAddress = !isHost && !node.isEmpty && draw.chance(90)
        return PodFacts(
            uid: "uid-\(made)", namespace: key.namespace, name: key.name, node: node,
            labels: podLabels(), serviceAccount: draw.pick(["", "robot"]), addresses: hasAddress ? addresses() : [],
            namedPorts: ports(), image: nil, createdAt: "2026-01-01T00:00:00.\(100_000 + made)Z",
            isHostNetwork: isHost, isTerminating: draw.chance(10), hasEnded: false)
    }

    private mutating func node() -> String { draw.pick([Self.node, Self.node, "n2", "n3", "n4"]) }

    private mutating func addresses() -> [IPAddress] {
        let families = draw.pick([[true], [false], [true, false], [true, false]])
        return families.map { isIPv4 in draw.pick(Self.addresses.filter { $0.isIPv4 == isIPv4 }) }.sorted()
    }

    private mutating func podLabels() -> [String: String] {
        var labels = ["app": draw.pick(["a", "b", "c"])]
        if draw.chance(50) { labels["tier"] = draw.pick(["x", "y"]) }
        if draw.chance(15) { labels["role"] = draw.pick(["r", "a", ""]) }
        return labels
    }

    private mutating func namespaceLabels(_ name: String) -> [String: String] {
        var labels = ["kubernetes.io/metadata.name": name]
        if draw.chance(70) { labels["team"] = draw.pick(["red", "blue"]) }
        if draw.chance(40) { labels["env"] = draw.pick(["", "prod"]) }
        return labels
    }

    private mutating func ports() -> [NamedPort] {
        var ports: [NamedPort] = []
        if draw.chance(60) { ports.append(NamedPort(name: "http", port: draw.pick([80, 8080]), transport: .tcp)) }
        if draw.chance(20) { ports.append(NamedPort(name: "http", port: 443, transport: .tcp)) }
        if draw.chance(25) { ports.append(NamedPort(name: "dns", port: 53, transport: .udp)) }
        if draw.chance(15) { ports.append(NamedPort(name: "web", port: draw.pick([80, 443]), transport: .sctp)) }
        return ports
    }
}
