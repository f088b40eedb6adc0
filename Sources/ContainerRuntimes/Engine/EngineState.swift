// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// What is known of an engine's containers and their namespaces during one connection.
struct EngineState {
    let grouping: WorkloadGrouping
    let inspector: NamespaceInspector
    private var members: [String: WorkloadGrouping.Member] = [:]
    private var interfaces: [UInt64: Result<NamespaceInterfaces, WorkloadProblem>] = [:]
    /// Namespaces to be read before the next report.
    private var unread: Set<UInt64> = []
    private var reporter = WorkloadReporter()

    init(grouping: WorkloadGrouping, inspector: NamespaceInspector) {
        self.grouping = grouping
        self.inspector = inspector
    }

    /// Takes one container's new record; nil if it runs no more.
    mutating func set(_ id: String, to record: ContainerRecord?) {
        let old = members.removeValue(forKey: id)
        if let old { unread.insert(old.namespaceInode) }
        guard let record, let inode = inspector.inode(record.ways) else { return }
        members[id] = WorkloadGrouping.Member(record: record, namespaceInode: inode)
        unread.insert(inode)
    }

    /// Takes the complete list of containers.
    mutating func replace(with records: [ContainerRecord]) async {
        members = [:]
        for record in records { set(record.id, to: record) }
        await refresh(namespaces: [])
    }

    /// Reads the namespaces that containers were added to or removed from, and those given.
    mutating func refresh(namespaces: [UInt64]) async {
        unread.formUnion(namespaces)
        let ways = Dictionary(
            members.values.map { ($0.namespaceInode, $0.record.ways) }, uniquingKeysWith: { first, _ in first })
        let wanted = unread.filter { ways[$0] != nil && $0 != grouping.hostNamespaceInode }
        unread = []
        let found = await inspector.read(wanted.compactMap { inode in ways[inode].map { (inode, $0) } })
        interfaces.merge(found) { _, new in new }
        interfaces = interfaces.filter { ways[$0.key] != nil }
        inspector.watch(ways.filter { $0.key != grouping.hostNamespaceInode })
    }

    /// The report of everything.
    mutating func snapshot() -> WorkloadChange { reporter.snapshot(of: workloads) }

    /// What differs from the last report.
    mutating func changes() -> [WorkloadChange] { reporter.changes(to: workloads) }

    private var workloads: [Workload] {
        grouping.workloads(Array(members.values), interfaces: interfaces)
    }
}
