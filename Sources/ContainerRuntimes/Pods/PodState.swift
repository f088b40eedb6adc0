// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import LinuxHost
import NetworkModel

/// What is known of this node's pods and where each of them is.
struct PodState {
    let inspector: NamespaceInspector
    let hostNamespaceInode: UInt64
    private var pods: [String: PodRecord] = [:]
    /// How to reach the namespace of a pod, by its UID.
    private var ways: [String: NamespaceInspector.Ways] = [:]
    private var inodes: [String: UInt64] = [:]
    private var interfaces: [UInt64: Result<NamespaceInterfaces, WorkloadProblem>] = [:]
    private var unread: Set<UInt64> = []
    private var reporter = WorkloadReporter()

    init(inspector: NamespaceInspector, hostNamespaceInode: UInt64) {
        self.inspector = inspector
        self.hostNamespaceInode = hostNamespaceInode
    }

    /// Pods that should be somewhere and are not found yet.
    var homeless: [String] { pods.values.filter { !$0.isHostNetwork && inodes[$0.uid] == nil }.map(\.uid) }

    /// Takes over what the cluster says.
    mutating func set(pods records: [String: PodRecord]) {
        pods = records
        for uid in ways.keys where records[uid] == nil { (ways[uid], inodes[uid]) = (nil, nil) }
    }

    /// Takes over where pods are.
    ///
    /// Of one that is found already, only another namespace counts; it is looked for by the same way again only where
    /// `isStale` says so.
    mutating func set(ways found: [String: NamespaceInspector.Ways], isStale: (String) -> Bool = { _ in true }) {
        for (uid, new) in found where pods[uid]?.isHostNetwork == false {
            if inodes[uid] != nil, ways[uid] == new, !isStale(uid) { continue }
            guard let inode = inspector.inode(new), inode != hostNamespaceInode else { continue }
            ways[uid] = new
            if inodes.updateValue(inode, forKey: uid) != inode { unread.insert(inode) }
        }
    }

    /// Reads the namespaces that are new, and those given.
    mutating func refresh(namespaces: [UInt64]) async {
        unread.formUnion(namespaces)
        var reachable: [UInt64: NamespaceInspector.Ways] = [:]
        for (uid, inode) in inodes { reachable[inode] = ways[uid] }
        let wanted = unread.compactMap { inode in reachable[inode].map { (inode, $0) } }
        unread = []
        interfaces.merge(await inspector.read(wanted)) { _, new in new }
        interfaces = interfaces.filter { reachable[$0.key] != nil }
        inspector.watch(reachable)
    }

    mutating func snapshot() -> WorkloadChange { reporter.snapshot(of: workloads) }

    mutating func changes() -> [WorkloadChange] { reporter.changes(to: workloads) }

    private var workloads: [Workload] {
        pods.values.filter { !$0.isHostNetwork }.map(workload).sorted { $0.id < $1.id }
    }

    private func workload(_ pod: PodRecord) -> Workload {
        var workload = Workload(
            id: "pod:\(pod.uid)", name: "\(pod.namespace)/\(pod.name)", namespace: pod.namespace, labels: pod.labels,
            image: pod.image, runtime: PodSource.name, engineAddresses: pod.addresses, namedPorts: pod.namedPorts)
        if let inode = inodes[pod.uid] {
            workload.settle(in: inode, interfaces[inode])
        } else {
            workload.problem = "none of its processes and no attachment was found on this node yet"
        }
        return workload
    }
}
