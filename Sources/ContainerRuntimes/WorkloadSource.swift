// SPDX-License-Identifier: Apache-2.0

/// Where workloads come from: a container engine's socket, a file.
package protocol WorkloadSource: Sendable {
    /// For status and logs: `podman`, `docker`, `file`.
    var name: String { get }

    /// Finds the workloads and follows them until the consumer stops.
    ///
    /// Nothing that goes wrong ends the stream: it is reported as `.status`, the workloads known so far stay, and the
    /// source keeps trying.
    func changes() -> AsyncStream<WorkloadChange>
}

/// A step of a source; the workloads of other sources are not concerned.
package enum WorkloadChange: Hashable, Sendable {
    /// All workloads of the source: what is not in it is gone. Sent at first and after every interruption.
    case snapshot([Workload])
    /// A workload is new or differs.
    case upsert(Workload)
    /// A workload is gone.
    case removed(id: String)
    /// The source's own state changed.
    case status(WorkloadSourceStatus)
}

/// Whether a source works.
package struct WorkloadSourceStatus: Hashable, Sendable {
    /// True while the source is being followed.
    package let isConnected: Bool
    /// One line for people: where it is connected to, or what is wrong and what happens next.
    package let message: String

    /// Makes a status.
    package init(isConnected: Bool, message: String) {
        self.isConnected = isConnected
        self.message = message
    }
}

/// Remembers what was reported, and reports only what differs.
struct WorkloadReporter {
    private var known: [String: Workload] = [:]

    /// The changes that lead from what was reported to `workloads`.
    mutating func changes(to workloads: [Workload]) -> [WorkloadChange] {
        let new = Dictionary(workloads.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let removed = known.keys.filter { new[$0] == nil }.sorted().map(WorkloadChange.removed)
        let changed = workloads.filter { known[$0.id] != $0 }.map(WorkloadChange.upsert)
        known = new
        // First what is gone: its addresses may belong to a newcomer now.
        return removed + changed
    }

    /// The report of everything.
    mutating func snapshot(of workloads: [Workload]) -> WorkloadChange {
        known = Dictionary(workloads.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        return .snapshot(workloads)
    }
}
