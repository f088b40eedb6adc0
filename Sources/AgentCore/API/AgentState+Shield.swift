// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import LinuxHost

extension AgentState {
    func shieldReport() async throws(APIError) -> ShieldReport {
        var report = ShieldReport(mode: "off")
        if let shield { report = try await shield.report() }
        report.synDefence = await synKeeper?.report()
        return report
    }

    /// What is wrong with the shield and with the defence of listeners, each with its remedy.
    func shieldProblems() async -> [ProblemReport] {
        let shield = await shield?.problems ?? [:]
        let defence = await synKeeper?.problems ?? [:]
        // What the kernel lacks is no fault of anybody's configuration.
        return shield.filter { $0.key != ShieldKeeper.reflectorSubject }.sorted { $0.key < $1.key }.map {
            ProblemReport(subject: "shield", message: $1, since: firstSeen("shield \($0)", $1))
        }
            + defence.sorted { $0.key < $1.key }.map {
                ProblemReport(subject: "syn defence", message: $1, since: firstSeen("syn defence \($0)", $1))
            }
    }

    /// The defence of listeners on the devices of the host, and inside its workloads.
    func followListeners() async {
        guard let synKeeper, !isDetached else { return }
        var places: [SynPlace] = []
        for workload in workloads.values where !workload.options.contains(.host) {
            let indices = workload.interfaces.map(\.index).filter { $0 != 0 }
            guard !indices.isEmpty else { continue }
            let namespace: NetworkNamespace? =
                workload.details["netns"].map { .path($0) }
                ?? workload.details["pid"].flatMap { Int32($0) }.map { .process($0) }
            places.append(SynPlace(workload: workload.name, namespace: namespace, interfaces: Set(indices)))
        }
        await synKeeper.follow(places)
    }

    func block(_ request: ShieldBlockRequest) async throws(APIError) -> ShieldReport {
        try await requireShield().block(request, rails: await railsWithSessions())
    }

    func unblock(_ request: ShieldBlockRequest) async throws(APIError) -> ShieldReport {
        try await requireShield().unblock(request)
    }

    func accept(_ request: ShieldFeedRequest) async throws(APIError) -> ShieldReport {
        try await requireShield().accept(request)
    }

    func requireShield() throws(APIError) -> ShieldKeeper {
        guard let shield else {
            throw APIError(
                .refused, "the shield is off: set `shield.mode` in the agent's configuration to monitor or enforce")
        }
        return shield
    }
}
