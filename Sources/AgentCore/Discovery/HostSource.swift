// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel

/// Follows the host's own addresses and, if the host is an endpoint, its devices.
struct HostSource: Sendable {
    static let name = "host"

    let configuration: AgentConfiguration.HostEndpoint
    let state: AgentState

    /// Runs until cancelled.
    func run() async throws {
        var snapshot = NetworkSnapshot()
        for await update in try NetworkMonitor.updates() {
            snapshot.apply(update)
            let addresses = HostSource.addresses(snapshot)
            await state.update(hostAddresses: addresses)
            guard configuration.isEnabled else { continue }
            let host = workload(snapshot, addresses)
            await state.update(
                source: HostSource.name, workloads: [host], state: "watching",
                location: host.interfaces.map(\.name).joined(separator: ","))
        }
    }

    /// The addresses by which others know the host.
    static func addresses(_ snapshot: NetworkSnapshot) -> [IPAddress] {
        let loopbacks = Set(snapshot.links.filter(\.isLoopback).map(\.index))
        return snapshot.addresses.filter { !loopbacks.contains($0.linkIndex) }.map(\.address)
    }

    private func workload(_ snapshot: NetworkSnapshot, _ addresses: [IPAddress]) -> Workload {
        let devices = snapshot.links.filter { link in
            configuration.devices.isEmpty
                ? link.kind == nil && !link.isLoopback && link.isUp : configuration.devices.contains(link.name)
        }
        let labels = configuration.labels + [Label(source: LabelSource.reserved, key: "host")]
        var workload = Workload(
            key: "host", name: "host", source: HostSource.name, labels: LabelSet(labels), addresses: Set(addresses),
            interfaces: devices.map { .init(name: $0.name, index: UInt32($0.index)) }, options: [.host])
        let missing = configuration.devices.filter { name in !devices.contains { $0.name == name } }
        if !missing.isEmpty { workload.details["missing"] = missing.joined(separator: ", ") }
        if devices.isEmpty {
            workload.problem = "no device of this host is judged: name them in `hostEndpoint.devices`"
        }
        return workload
    }
}
