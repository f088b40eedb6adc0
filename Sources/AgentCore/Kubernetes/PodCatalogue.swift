// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ContainerRuntimes
import IdentityModel
import NetworkModel

/// Makes workloads of pods and of the labels of their namespaces, whichever is told first.
///
/// * A pod whose namespace nobody described yet is no workload: policies that select it by its namespace would miss it.
/// * Of several pods that name an address it is one's that nobody has deleted: one that ends keeps it in its status for a
///   while. Of those it is this node's, where the node's routes lead, then the newest one's.
///
/// Pure. What changes is collected, and costs what it touches.
struct PodCatalogue: Sendable {
    private let filter: LabelFilter
    private let node: String
    /// Pods of this node.
    private var local: Set<String> = []
    private var pods: [String: PodFacts] = [:]
    /// Labels of namespaces, by name.
    private var namespaces: [String: [String: String]] = [:]
    private var members: [String: Set<String>] = [:]
    private var claimants: [IPAddress: Set<String>] = [:]
    private var touched: Set<String> = []

    /// `node`: this one.
    init(filter: LabelFilter, node: String) {
        self.filter = filter
        self.node = node
    }

    /// Takes over a pod; nil: there is none of that key any more.
    mutating func set(_ key: String, _ pod: PodFacts?) {
        // Ended ones hold no address, and nobody selects them.
        let pod = pod.flatMap { $0.hasEnded ? nil : $0 }
        let former = pods[key]
        guard former != pod else { return }
        pods[key] = pod
        touched.insert(key)
        if pod?.node == node { local.insert(key) } else { local.remove(key) }
        if let former { claim(former, false) }
        if let pod { claim(pod, true) }
        let namespace = String(key.prefix { $0 != "/" })
        if pod == nil { members[namespace]?.remove(key) } else { members[namespace, default: []].insert(key) }
    }

    /// Takes over all pods there are.
    mutating func replacePods(_ all: [String: PodFacts]) {
        for key in pods.keys where all[key] == nil { set(key, nil) }
        for (key, pod) in all { set(key, pod) }
    }

    /// Takes over the labels of a namespace; nil: it is gone.
    mutating func set(namespace name: String, labels: [String: String]?) {
        guard namespaces[name] != labels else { return }
        namespaces[name] = labels
        touched.formUnion(members[name] ?? [])
    }

    mutating func replaceNamespaces(_ all: [String: [String: String]]) {
        for name in namespaces.keys where all[name] == nil { set(namespace: name, labels: nil) }
        for (name, labels) in all { set(namespace: name, labels: labels) }
    }

    /// What became of workloads since the last call, by key.
    mutating func takeChanges() -> [String: ClusterWorkload?] {
        defer { touched = [] }
        return Dictionary(uniqueKeysWithValues: touched.map { ($0, workload($0)) })
    }

    /// All workloads.
    var workloads: [String: ClusterWorkload] {
        pods.keys.reduce(into: [:]) { $0[$1] = workload($1) }
    }

    /// Of the pods of this node that are being deleted.
    var endingAddresses: Set<IPAddress> {
        Set(local.compactMap { pods[$0] }.filter(\.isTerminating).flatMap(\.addresses))
    }

    /// The pods of this node, by UID, those that are being deleted included: they may still have processes.
    ///
    /// `isElsewhere`: whether such a pod's address is one of a pod that is not here.
    func records(_ isElsewhere: (IPAddress, _ key: String) -> Bool = { _, _ in false }) -> [String: PodRecord] {
        var records: [String: PodRecord] = [:]
        for pod in local.compactMap({ pods[$0] }) {
            guard let labels = labels(of: pod) else { continue }
            let addresses = owned(pod).filter { !pod.isTerminating || !isElsewhere($0, pod.key) }
            records[pod.uid] = PodRecord(
                uid: pod.uid, namespace: pod.namespace, name: pod.name, labels: labels, addresses: addresses,
                namedPorts: pod.namedPorts, image: pod.image, isHostNetwork: pod.isHostNetwork)
        }
        return records
    }

    private mutating func claim(_ pod: PodFacts, _ isClaim: Bool) {
        for address in pod.addresses {
            // Each of the others may win or lose it.
            touched.formUnion(claimants[address] ?? [])
            if isClaim { claimants[address, default: []].insert(pod.key) } else { claimants[address]?.remove(pod.key) }
            if claimants[address]?.isEmpty == true { claimants[address] = nil }
        }
    }

    private func workload(_ key: String) -> ClusterWorkload? {
        guard let pod = pods[key], !pod.isHostNetwork, !pod.node.isEmpty, let labels = labels(of: pod) else {
            return nil
        }
        let addresses = owned(pod)
        guard !addresses.isEmpty else { return nil }
        let ports = pod.namedPorts.map { port in
            (IdentityModel.NamedPort(proto: port.transport, name: port.name), Set([port.port]))
        }
        return ClusterWorkload(
            node: pod.node, labels: filter.identityLabels(of: labels), addresses: addresses,
            namedPorts: NamedPorts(Dictionary(ports) { $0.union($1) }))
    }

    private func owned(_ pod: PodFacts) -> [IPAddress] {
        guard !pod.isHostNetwork else { return [] }
        return pod.addresses.filter { address in
            guard let others = claimants[address], others.count > 1 else { return true }
            let owner = others.compactMap { pods[$0] }.max { (rank($0), $0.uid) < (rank($1), $1.uid) }
            return owner?.uid == pod.uid
        }
    }

    /// Whose address it is: the greater; RFC 3339 sorts as text.
    private func rank(_ pod: PodFacts) -> String {
        "\(pod.isTerminating ? 0 : pod.node == node ? 2 : 1) \(pod.createdAt)"
    }

    /// Nil: its namespace is not known.
    private func labels(of pod: PodFacts) -> [Label]? {
        guard let namespace = namespaces[pod.namespace] else { return nil }
        func label(_ key: String, _ value: String) -> Label {
            Label(source: LabelSource.kubernetes, key: key, value: value)
        }
        var labels = pod.labels.map { label($0.key, $0.value) }
        labels += namespace.filter { $0.key != WellKnownLabel.namespaceName }.map {
            label(WellKnownLabel.namespaceLabelPrefix + $0.key, $0.value)
        }
        labels.append(label(WellKnownLabel.namespace, pod.namespace))
        if !pod.serviceAccount.isEmpty { labels.append(label(WellKnownLabel.serviceAccount, pod.serviceAccount)) }
        return labels.sorted()
    }
}
