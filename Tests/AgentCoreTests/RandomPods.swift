// SPDX-License-Identifier: Apache-2.0

import IdentityModel
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
        case 1, 2:
            pods[key] = nil
            return key
        // Another one of its name, perhaps on another node, as a StatefulSet makes them.
        case 3:
            pods[key] = newPod(key)
            return key
        case 4, 5: pod.isTerminating = true
        case 6: pod.hasEnded = true
        case 7: pod.template = template(namespace, labels: podLabels(), like: pod.template)
        case 8: pod.template = template(namespace, labels: pod.template.labels, namedPorts: ports(), like: pod.template)
        case 9: if pod.node.isEmpty { settle(&pod, on: node()) }
        default: if !pod.isHostNetwork, !pod.node.isEmpty { pod.addresses = draw.chance(20) ? [] : addresses() }
        }
        pods[key] = pod
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
        var pod = PodFacts(
            template: PodTemplate(
                namespace: key.namespace, labels: podLabels(), serviceAccount: draw.pick(["", "robot"]),
                namedPorts: ports()),
            node: "", addresses: hasAddress ? addresses() : [], createdAt: Int64(made))
        pod.isHostNetwork = isHost
        pod.isTerminating = draw.chance(10)
        settle(&pod, on: node)
        return pod
    }

    /// The node that has it asks for more than others do.
    private mutating func settle(_ pod: inout PodFacts, on node: String) {
        pod.node = node
        made += 1
        pod.own = node == Self.node ? .init(uid: "uid-\(made)", image: nil) : nil
    }

    private func template(
        _ namespace: String, labels: [Label], namedPorts: NamedPorts? = nil, like former: PodTemplate
    ) -> PodTemplate {
        PodTemplate(
            namespace: namespace, labels: labels, serviceAccount: former.serviceAccount,
            namedPorts: namedPorts ?? former.namedPorts)
    }

    private mutating func node() -> String { draw.pick([Self.node, Self.node, "n2", "n3", "n4"]) }

    private mutating func addresses() -> [IPAddress] {
        let families = draw.pick([[true], [false], [true, false], [true, false]])
        return families.map { isIPv4 in draw.pick(Self.addresses.filter { $0.isIPv4 == isIPv4 }) }.sorted()
    }

    private mutating func podLabels() -> [Label] {
        var labels = ["app": draw.pick(["a", "b", "c"])]
        if draw.chance(50) { labels["tier"] = draw.pick(["x", "y"]) }
        if draw.chance(15) { labels["role"] = draw.pick(["r", "a", ""]) }
        return labels.map { Label(source: LabelSource.kubernetes, key: $0.key, value: $0.value) }.sorted()
    }

    private mutating func namespaceLabels(_ name: String) -> [String: String] {
        var labels = ["kubernetes.io/metadata.name": name]
        if draw.chance(70) { labels["team"] = draw.pick(["red", "blue"]) }
        if draw.chance(40) { labels["env"] = draw.pick(["", "prod"]) }
        return labels
    }

    private mutating func ports() -> NamedPorts {
        var ports: [NamedPort: Set<UInt16>] = [:]
        let http = NamedPort(proto: .tcp, name: "http")
        if draw.chance(60) { ports[http, default: []].insert(draw.pick([80, 8080])) }
        if draw.chance(20) { ports[http, default: []].insert(443) }
        if draw.chance(25) { ports[NamedPort(proto: .udp, name: "dns")] = [53] }
        if draw.chance(15) { ports[NamedPort(proto: .sctp, name: "web")] = [draw.pick([80, 443])] }
        return NamedPorts(ports)
    }
}
