// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ContainerRuntimes
import IdentityModel
import KubernetesClient
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
    private var namespaces: [String: PodNamespace] = [:]
    /// Pods of this node.
    private var local: Set<ObjectKey> = []
    /// The name of a pod that has an address; in which namespace it is, is looked for in the rare case that it matters.
    private var claimants: [IPAddress: String] = [:]
    /// All who name an address that several name.
    private var rivals: [IPAddress: Set<ObjectKey>] = [:]
    private var touched: Set<ObjectKey> = []
    private var areRecordsTouched = true

    /// `node`: this one.
    init(filter: LabelFilter, node: String) {
        self.filter = filter
        self.node = node
    }

    /// Takes over a pod; nil: there is none of that key any more.
    mutating func set(_ key: ObjectKey, _ pod: PodFacts?) {
        // Ended ones hold no address, and nobody selects them.
        let pod = pod.flatMap { $0.hasEnded ? nil : $0 }
        let former = self[key]
        guard former != pod else { return }
        // One text for all that are in it.
        let key = pod.map { ObjectKey(namespace: $0.template.namespace, name: key.name) } ?? key
        namespaces[key.namespace, default: PodNamespace(filter: filter)].set(key.name, pod)
        if namespaces[key.namespace]?.isNobody == true { namespaces[key.namespace] = nil }
        touch(key)
        if pod?.node == node { local.insert(key) } else { local.remove(key) }
        touch(key)
        if let former { for address in former.addresses { disclaim(address, key) } }
        if let pod { for address in pod.addresses { claim(address, key) } }
    }

    /// Takes over all pods there are; those of `keeping` are there too, as they are known.
    mutating func replacePods(_ all: [ObjectKey: PodFacts], keeping: Set<ObjectKey> = []) {
        for (namespace, content) in namespaces {
            for name in content.pods.keys {
                let key = ObjectKey(namespace: namespace, name: name)
                if all[key] == nil, !keeping.contains(key) { set(key, nil) }
            }
        }
        for (key, pod) in all { set(key, pod) }
    }

    /// Takes over the labels of a namespace; nil: it is gone.
    mutating func set(namespace name: String, labels: [String: String]?) {
        guard namespaces[name]?.labels != labels else { return }
        namespaces[name, default: PodNamespace(filter: filter)].describe(name, labels)
        if namespaces[name]?.isNobody == true { namespaces[name] = nil }
        for pod in (namespaces[name]?.pods ?? [:]).keys { touch(ObjectKey(namespace: name, name: pod)) }
    }

    /// Takes over the labels of all namespaces; those of `keeping` stay as they are known.
    mutating func replaceNamespaces(_ all: [String: [String: String]], keeping: Set<String> = []) {
        for name in namespaces.keys where all[name] == nil && !keeping.contains(name) {
            set(namespace: name, labels: nil)
        }
        for (name, labels) in all { set(namespace: name, labels: labels) }
    }

    /// What became of workloads since the last call, by `<namespace>/<name>`.
    mutating func takeChanges() -> [String: ClusterWorkload?] {
        defer { touched = [] }
        var changes: [String: ClusterWorkload?] = [:]
        for key in touched { changes[key.description] = .some(workload(key)) }
        return changes
    }

    /// All workloads; what became of them up to here is not told any more.
    mutating func takeAll() -> [String: ClusterWorkload] {
        touched = []
        var all: [String: ClusterWorkload] = [:]
        for (namespace, content) in namespaces {
            for name in content.pods.keys {
                let key = ObjectKey(namespace: namespace, name: name)
                all[key.description] = workload(key)
            }
        }
        return all
    }

    /// Of the pods of this node that are being deleted.
    var endingAddresses: Set<IPAddress> {
        Set(local.compactMap { self[$0] }.filter(\.isTerminating).flatMap(\.addresses))
    }

    /// The pods of this node, by UID, those that are being deleted included: they may still have processes.
    ///
    /// `isElsewhere`: whether such a pod's address is one of a pod that is not here.
    func records(_ isElsewhere: (IPAddress, _ key: String) -> Bool = { _, _ in false }) -> [String: PodRecord] {
        var records: [String: PodRecord] = [:]
        for key in local {
            guard let pod = self[key], let own = pod.own, let labels = labels(key, pod) else { continue }
            let addresses = owned(key, pod).filter { !pod.isTerminating || !isElsewhere($0, key.description) }
            records[own.uid] = PodRecord(
                uid: own.uid, namespace: key.namespace, name: key.name, labels: labels.labels, addresses: addresses,
                namedPorts: pod.template.listedPorts, image: own.image, isHostNetwork: pod.isHostNetwork)
        }
        return records
    }

    /// Whether they may be others than at the last call.
    mutating func takeRecordsTouched() -> Bool {
        defer { areRecordsTouched = false }
        return areRecordsTouched
    }

    /// They are others because of somebody who is not here.
    mutating func touchRecords() { areRecordsTouched = true }

    private mutating func touch(_ key: ObjectKey) {
        touched.insert(key)
        if local.contains(key) { areRecordsTouched = true }
    }

    private subscript(key: ObjectKey) -> PodFacts? { namespaces[key.namespace]?.pods[key.name] }

    private mutating func claim(_ address: IPAddress, _ key: ObjectKey) {
        guard let name = claimants.updateValue(key.name, forKey: address) else { return }
        if rivals[address] == nil {
            rivals[address] = Set(
                namespaces.filter { $0.value.pods[name]?.addresses.contains(address) == true }
                    .map { ObjectKey(namespace: $0.key, name: name) })
        }
        rivals[address]?.insert(key)
        // Each of them may win or lose it.
        for key in rivals[address] ?? [] { touch(key) }
    }

    private mutating func disclaim(_ address: IPAddress, _ key: ObjectKey) {
        guard var others = rivals[address] else {
            claimants[address] = nil
            return
        }
        for other in others { touch(other) }
        others.remove(key)
        claimants[address] = others.first?.name
        rivals[address] = others.count > 1 ? others : nil
    }

    private func workload(_ key: ObjectKey) -> ClusterWorkload? {
        guard let pod = self[key], !pod.isHostNetwork, !pod.node.isEmpty, let labels = labels(key, pod) else {
            return nil
        }
        let addresses = owned(key, pod)
        guard !addresses.isEmpty else { return nil }
        return ClusterWorkload(
            node: pod.node, labels: labels, addresses: addresses, namedPorts: pod.template.namedPorts)
    }

    private func owned(_ key: ObjectKey, _ pod: PodFacts) -> [IPAddress] {
        guard !pod.isHostNetwork else { return [] }
        guard pod.addresses.contains(where: { rivals[$0] != nil }) else { return pod.addresses }
        return pod.addresses.filter { address in
            guard let others = rivals[address] else { return true }
            return others.max { rank($0) < rank($1) } == key
        }
    }

    /// Whose address it is: the greater.
    private func rank(_ key: ObjectKey) -> (Int, Int64, ObjectKey) {
        guard let pod = self[key] else { return (-1, 0, key) }
        return (pod.isTerminating ? 0 : pod.node == node ? 2 : 1, pod.createdAt, key)
    }

    /// Nil: its namespace is not known.
    private func labels(_ key: ObjectKey, _ pod: PodFacts) -> LabelSet? {
        namespaces[key.namespace]?.labels(of: pod.template)
    }
}
