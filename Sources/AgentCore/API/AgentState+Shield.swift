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
