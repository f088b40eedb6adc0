// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import Synchronization
import TestBed

/// Keeps the present workloads of a source, as the agent would.
final class WorkloadFollower: Sendable {
    private struct State {
        var workloads: [String: Workload] = [:]
        var status: WorkloadSourceStatus?
        var snapshots = 0
    }
    private let state = Mutex(State())
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ source: some WorkloadSource) {
        let following = Task { [weak self] in
            for await change in source.changes() { self?.take(change) }
        }
        task.withLock { $0 = following }
    }

    deinit { task.withLock { $0?.cancel() } }

    var status: WorkloadSourceStatus? { state.withLock { $0.status } }

    /// How often everything was reported.
    var snapshots: Int { state.withLock { $0.snapshots } }

    var all: [Workload] { state.withLock { Array($0.workloads.values) } }

    func named(_ name: String) -> Workload? { all.first { $0.name == name } }

    /// Waits until a workload of that name fulfils the condition.
    func workload(
        _ name: String, within limit: Duration = .seconds(5), _ condition: (Workload) -> Bool = { _ in true }
    ) async throws -> Workload {
        try await eventuallySome("workload \(name) as expected; known: \(all)", within: limit) {
            self.named(name).flatMap { condition($0) ? $0 : nil }
        }
    }

    private func take(_ change: WorkloadChange) {
        state.withLock { state in
            switch change {
            case .snapshot(let workloads):
                state.workloads = Dictionary(uniqueKeysWithValues: workloads.map { ($0.id, $0) })
                state.snapshots += 1
            case .upsert(let workload): state.workloads[workload.id] = workload
            case .removed(let id): state.workloads[id] = nil
            case .status(let status): state.status = status
            }
        }
    }
}
