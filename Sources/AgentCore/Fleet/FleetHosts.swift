// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import LinuxHost
import NetworkModel
import PolicyModel

/// Other hosts of a fleet by the addresses that they tell of themselves: to rules what documents of kind `Node` describe.
///
/// A host could tell any address. What counts lies in prefixes that this host's configuration names, is not this host's
/// own, and is told by no other; a group of them never takes in workloads, whoever has the address.
struct FleetHosts: Sendable {
    /// A message names so many addresses.
    private static let toldMax = 3
    /// So many hosts have a message of their own.
    private static let problemsMax = 16

    /// What they tell, by key of the feed.
    var known: [String: ClusterWorkload] = [:]
    /// What is believed.
    private(set) var policies: [PolicyReference: Policy] = [:]
    /// What is not, by host.
    private(set) var problems: [String: String] = [:]

    /// Judges again what is told; returns what became of it.
    mutating func settle(in networks: [CIDR], own: (IPAddress) -> Bool) -> Set<PolicyReference> {
        let before = policies
        (policies, problems) = ([:], [:])
        var holders: [IPAddress: String] = [:]
        var refusing = 0
        for host in known.values.sorted(by: { $0.node < $1.node }) {
            var believed: [CIDR] = []
            var refused: [String] = []
            for address in host.addresses {
                if let reason = reason(against: address, networks, own, holders) {
                    refused.append("\(address): \(reason)")
                } else {
                    holders[address] = host.node
                    believed.append(CIDR(address, length: address.isIPv4 ? 32 : 128))
                }
            }
            if !believed.isEmpty {
                let policy = FleetHosts.policy(host.node, believed)
                policies[policy.reference] = policy
            }
            guard !refused.isEmpty, !networks.isEmpty else { continue }
            refusing += 1
            guard refusing <= FleetHosts.problemsMax else { continue }
            let more = refused.count - FleetHosts.toldMax
            problems["node \(host.node)"] =
                "ignored what it says are its addresses: "
                + refused.prefix(FleetHosts.toldMax).joined(separator: "; ") + (more > 0 ? "; and \(more) more" : "")
        }
        if refusing > FleetHosts.problemsMax {
            problems["nodes"] = "ignored addresses of \(refusing - FleetHosts.problemsMax) more nodes"
        }
        if networks.isEmpty, !known.isEmpty {
            problems["nodes"] =
                "the addresses of \(known.count) other hosts are not believed, they are `world` to rules: name the prefixes "
                + "that hosts have their addresses in under `cluster.hostNetworks`"
        }
        let touched = Set(before.keys).union(policies.keys)
        return touched.filter { before[$0] != policies[$0] }
    }

    private func reason(
        against address: IPAddress, _ networks: [CIDR], _ own: (IPAddress) -> Bool, _ holders: [IPAddress: String]
    ) -> String? {
        if let unfit = AddressClaims.unfit(address) { return unfit }
        if address.isLinkLocal { return "valid on its own link only" }
        if !networks.contains(where: { $0.contains(address) }) { return "in none of `cluster.hostNetworks`" }
        if own(address) { return "it is this host's own" }
        return holders[address].map { "it is that of node \($0)" }
    }

    private static func policy(_ node: String, _ addresses: [CIDR]) -> Policy {
        let reference = PolicyReference(kind: "Node", namespace: "", name: node)
        let name = Label(source: LabelSource.node, key: "io.kubernetes.node.name", value: node)
        return Policy(
            reference: reference, source: SourceLocation(file: "etcd:node \(node)", line: 1, column: 1), rules: [],
            defaultDeny: [], prefixGroup: PrefixGroup(labels: LabelSet([name]), prefixes: addresses))
    }

    /// The addresses that a host tells of itself: none of its loopback, and none of what it gives to containers.
    static func published(_ snapshot: NetworkSnapshot, in networks: [CIDR]) -> [IPAddress] {
        let ports = Dictionary(grouping: snapshot.links.filter { $0.master != nil }) { $0.master ?? 0 }
        let inner = snapshot.links.filter { link in
            let isForContainers = (ports[link.index] ?? []).allSatisfy { $0.kind == "veth" }
            return link.isLoopback || (link.kind == "bridge" && isForContainers)
        }
        let excluded = Set(inner.map(\.index))
        let addresses = snapshot.addresses.filter { entry in
            !excluded.contains(entry.linkIndex) && !entry.isLinkScoped && !entry.address.isLinkLocal
                && networks.contains { $0.contains(entry.address) }
        }
        return Set(addresses.map(\.address)).sorted()
    }
}

extension AgentState {
    /// Judges again what other hosts of a fleet tell of themselves; the next commit brings it into force.
    func settleFleetHosts() {
        guard cluster != nil else { return }
        let (network, addresses) = (network, Set(hostAddresses))
        let touched = cluster?.hosts.settle(in: configuration.fleet.hostNetworks) { address in
            addresses.contains(address) || network?.isOwn(address) == true
        }
        unsettled.policies.formUnion(touched ?? [])
    }
}
