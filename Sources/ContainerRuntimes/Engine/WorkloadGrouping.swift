// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import LinuxHost
import NetworkModel

/// Makes workloads out of containers: one for each network namespace.
///
/// The workload is named after the pod if there is one, else after the container that was there first (the one whose
/// namespace the others joined). It carries the labels of all its containers; where two give a key different values the
/// pod's own label wins, then the first container's, then the older one's.
struct WorkloadGrouping {
    /// `podman`, `docker`.
    let runtime: String
    let hostNamespaceInode: UInt64

    /// A running container and the namespace it was found in.
    struct Member: Hashable {
        var record: ContainerRecord
        var namespaceInode: UInt64
    }

    /// - Parameter interfaces: by inode; what could not be read is an error text.
    /// - Returns: in the order of their ids.
    func workloads(
        _ members: [Member], interfaces: [UInt64: Result<NamespaceInterfaces, WorkloadProblem>]
    ) -> [Workload] {
        // Containers in the host's namespace share it with the host, not with each other.
        let (host, own) = members.partitioned { $0.namespaceInode == hostNamespaceInode }
        let grouped = Dictionary(grouping: own, by: \.namespaceInode).map { inode, members in
            workload(members, inode: inode, interfaces: interfaces[inode])
        }
        return (host.map(hostWorkload) + grouped).sorted { $0.id < $1.id }
    }

    private func hostWorkload(_ member: Member) -> Workload {
        var workload = describe([member.record])
        workload.problem =
            "it uses the host's network, so its packets cannot be told from the host's; "
            + "give it a network of its own, or police the host endpoint"
        return workload
    }

    private func workload(
        _ members: [Member], inode: UInt64, interfaces: Result<NamespaceInterfaces, WorkloadProblem>?
    ) -> Workload {
        var workload = describe(members.map(\.record))
        workload.settle(in: inode, interfaces)
        return workload
    }

    /// What does not depend on the namespace.
    private func describe(_ records: [ContainerRecord]) -> Workload {
        let ordered = records.sorted {
            ($0.isInfra ? 0 : 1, $0.createdAt, $0.id) < ($1.isInfra ? 0 : 1, $1.createdAt, $1.id)
        }
        let pod = ordered.lazy.compactMap(\.pod).first
        let first = ordered[0]
        var labels: [String: String] = pod?.labels ?? [:]
        for record in ordered { labels.merge(record.labels) { known, _ in known } }
        let namespace = WorkloadLabels.namespace(labels)
        // An infra container's image says nothing about the pod.
        let image = (ordered.first { !$0.isInfra } ?? first).image
        return Workload(
            id: "\(runtime):\(pod?.id ?? first.id)", name: pod?.name ?? first.name, namespace: namespace,
            labels: WorkloadLabels.labels(labels, source: LabelSource.container, namespace: namespace), image: image,
            runtime: runtime, engineAddresses: Set(ordered.flatMap(\.addresses)).sorted(),
            namedPorts: WorkloadLabels.namedPorts(labels), pid: first.pid)
    }
}

extension Array {
    /// Splits into those for which the condition holds and the others, each in order.
    fileprivate func partitioned(_ condition: (Element) -> Bool) -> (holds: [Element], others: [Element]) {
        (filter(condition), filter { !condition($0) })
    }
}
