// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import LinuxHost
import NetworkModel

/// What other nodes of a fleet are told of this one.
extension AgentState {
    /// Tells of this node's workloads there from now on.
    func use(_ store: any FleetStore) {
        fleet = store
        publishHost()
        publishWorkloads()
    }

    /// Tells the fleet of the host's own addresses; nothing before they are known.
    func publishHost() {
        guard let fleet, let network else { return }
        fleet.publish(addresses: FleetHosts.published(network.snapshot, in: configuration.fleet.hostNetworks))
    }

    /// Tells the fleet of the workloads that are in force; nothing before all sources have spoken, so that what an earlier agent
    /// told is not taken back for a moment.
    func publishWorkloads() {
        guard let fleet, areSourcesComplete else { return }
        let networks = configuration.fleet.networks
        var told: [String: ClusterWorkload] = [:]
        for workload in engine.input.workloads.values where workload.isKnownToFleet {
            let addresses = workload.addresses.filter { address in
                !address.isLinkLocal && (networks.isEmpty || networks.contains { $0.contains(address) })
            }
            guard !addresses.isEmpty else { continue }
            told[workload.fleetName] = ClusterWorkload(
                node: node, labels: workload.ownLabels, addresses: addresses, namedPorts: workload.ownPorts)
        }
        fleet.publish(workloads: told)
    }
}

extension Workload {
    /// The host and its services are not; nor is what nobody has named yet.
    fileprivate var isKnownToFleet: Bool {
        !isHost && ![NewcomerSource.name, Attachment.source].contains(source)
    }

    /// `<namespace>/<name>`.
    fileprivate var fleetName: String {
        let label = ownLabels.labels.first { $0.source == LabelSource.kubernetes && $0.key == WellKnownLabel.namespace }
        let namespace = label?.value ?? ""
        return name.hasPrefix("\(namespace)/") && !namespace.isEmpty ? name : "\(namespace)/\(name)"
    }
}
