// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// The groups that have DNS names, of a set of policies.
struct NamedGroups {
    private let all: [(labels: LabelSet, names: [NameSelector])]

    init(_ policies: some Sequence<Policy>) {
        all = policies.compactMap { policy in
            policy.prefixGroup.flatMap { $0.names.isEmpty ? nil : ($0.labels, $0.names) }
        }
    }

    var isEmpty: Bool { all.isEmpty }

    /// The names of the groups that a selector selects, sorted, none twice.
    func names(_ selector: LabelSelector) -> [NameSelector] {
        all.isEmpty ? [] : Set(all.filter { selector.matches($0.labels) }.flatMap(\.names)).sorted()
    }

    /// What a rule means by name, in itself or by groups.
    func names(of rule: PolicyRule) -> Set<NameSelector> {
        Set(rule.peers.selectors.flatMap { names(of: $0) })
    }

    private func names(of peer: PeerSelector) -> [NameSelector] {
        if case .groupNames(let selector) = peer { return names(selector) }
        return peer.domainName.map { [$0] } ?? []
    }
}
