// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel

/// The workloads of other hosts as ends of a comparison: one for all that no policy tells apart.
///
/// There may be very many, and they are judged at this host only as peers of its own.
struct RemoteParties: Sendable {
    struct Member: Sendable {
        var key: String
        /// The first one.
        var address: IPAddress?
        var side: PolicyCompiler.ExplainedSide
        /// With what a change of documents gives it; both without an address.
        var after: PolicyCompiler.ExplainedSide
    }

    /// What makes two of them the same to every policy.
    private struct Likeness: Hashable {
        var side: PolicyCompiler.ExplainedSide
        var after: PolicyCompiler.ExplainedSide
        /// Networks that the address is in.
        var networks: [Int]
    }

    private struct Crowd {
        var first: Member
        var count = 1
    }

    /// By more networks they are not told apart.
    private static let networksMax = 256
    var members: [Member] = []

    /// One party for each kind, by name.
    ///
    /// `policies`: those before and after, by whose networks workloads may be told apart; what comes first counts first.
    func parties(_ policies: [Policy]) -> [VerdictComparison.Party] {
        guard !members.isEmpty else { return [] }
        let networks = RemoteParties.networks(policies)
        var crowds: [Likeness: Crowd] = [:]
        for member in members {
            let inside = member.address.map { address in
                networks.indices.filter { networks[$0].contains(address) }
            }
            let likeness = Likeness(side: member.side, after: member.after, networks: inside ?? [])
            guard var crowd = crowds[likeness] else {
                crowds[likeness] = Crowd(first: member)
                continue
            }
            crowd.count += 1
            if member.key < crowd.first.key { crowd.first = member }
            crowds[likeness] = crowd
        }
        return crowds.values.sorted { $0.first.key < $1.first.key }.map(RemoteParties.party)
    }

    private static func networks(_ policies: [Policy]) -> [CIDR] {
        var networks: [CIDR] = []
        var known: Set<CIDR> = []
        for policy in policies {
            let group = policy.prefixGroup.map { $0.includesWorkloads ? $0.prefixes : [] } ?? []
            for network in policy.prefixes.filter(\.includesWorkloads).map(\.prefix) + group
            where known.insert(network).inserted {
                networks.append(network)
                if networks.count == networksMax { return networks }
            }
        }
        return networks
    }

    private static func party(_ crowd: Crowd) -> VerdictComparison.Party {
        var (side, after) = (crowd.first.side, crowd.first.after)
        (side.address, after.address) = (crowd.first.address, crowd.first.address)
        let own = RemoteWorkload.name(ofKey: crowd.first.key)
        let namespace = side.labels.namespace.map { own.hasPrefix($0 + "/") ? "" : $0 + "/" } ?? ""
        let whose = crowd.count == 1 ? " (another host)" : " and \(crowd.count - 1) more (other hosts)"
        return .init(name: namespace + own + whose, side: side, after: after)
    }
}

extension AgentState {
    /// The workloads of other hosts, with what a change of documents gives them.
    func remoteParties(after ungranted: EngineChange) -> RemoteParties {
        let change = engine.granting(ungranted)
        var parties = RemoteParties()
        for (key, endpoint) in engine.allocator.endpoints where endpoint.isRemote {
            let identity = engine.allocator.assignments[key]?.identity ?? .unmanaged
            let side = PolicyCompiler.ExplainedSide(
                labels: endpoint.labels, namedPorts: endpoint.namedPorts,
                sharedPorts: engine.allocator.records[identity]?.namedPorts, isEndpoint: false)
            var after = side
            if let given = change.remotes.settings[key] {
                after.labels = given.labels
                after.namedPorts = given.namedPorts
                after.sharedPorts = given.namedPorts
            }
            parties.members.append(.init(key: key, address: endpoint.addresses.first, side: side, after: after))
        }
        return parties
    }
}
