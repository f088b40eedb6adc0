// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// Hosts to compile for where no agent knows the real one.
enum ImaginedHosts {
    /// The hosts that documents name, and one for each selector of hosts that none of these fits in any state.
    ///
    /// `states`: each is all policies that count together. The order is that of the names of the former and the labels of the
    /// latter, none twice.
    static func all(for states: [[Policy]]) -> [ImaginedWorkload] {
        let policies = states.flatMap(\.self)
        let nodes = ImaginedHosts.nodes(policies)
        let known = nodes.flatMap { node in
            states.map { ImaginedWorkload(node: node, name: "").belongings(by: $0).labels }
        }
        var found: Set<LabelSet> = []
        // Whom rules of Calico select may be a host or a set: where there is the set it is meant.
        let sets = policies.compactMap(\.prefixGroup).map { LabelSet.ofHost.merging($0.labels.labels) }
        for selector in Set(policies.flatMap(selectors(of:))) where !known.contains(where: selector.matches) {
            guard let labels = selector.fittingLabels(besides: .ofHost) else { continue }
            guard labels == .ofHost || !selector.asksForHost || !sets.contains(where: selector.matches) else {
                continue
            }
            found.insert(labels)
            // A service is one of a host.
            found.insert(labels.withoutProcess)
        }
        return named(nodes, isAlone: found.isEmpty)
            + found.sorted { $0.description < $1.description }.map(ImaginedWorkload.init(hostLabels:))
    }

    /// Without those who are known by their labels alone: if policies speak for the host and documents for none, one without
    /// a name and labels.
    static func known(to policies: [Policy]) -> [ImaginedWorkload] {
        let nodes = ImaginedHosts.nodes(policies)
        guard nodes.isEmpty else { return named(nodes, isAlone: true) }
        let namesHost = policies.contains { policy in
            policy.defaultDeny.contains { $0.subject.kind != .workload }
                || policy.rules.contains { $0.subject.kind != .workload }
        }
        return namesHost ? [ImaginedWorkload(hostLabels: .ofHost)] : []
    }

    private static func nodes(_ policies: [Policy]) -> [String] {
        policies.reduce(into: Set<String>()) { $0.formUnion($1.nodes) }.sorted()
    }

    private static func named(_ nodes: [String], isAlone: Bool) -> [ImaginedWorkload] {
        nodes.map { ImaginedWorkload(node: $0, name: isAlone && nodes.count == 1 ? "host" : "host \($0)") }
    }

    /// Whatever stage of a host it is that a policy speaks for, it is a host that is selected.
    private static func selectors(of policy: Policy) -> [LabelSelector] {
        ImaginedWorkloads.subjects(of: policy).filter { $0.kind != .workload }.map(\.labels)
            + ImaginedWorkloads.peers(of: policy).filter(\.asksForHost)
    }
}

extension LabelSelector {
    /// True if only hosts fit: a rule's other end is told from workloads so.
    fileprivate var asksForHost: Bool {
        requirements.contains { requirement in
            guard requirement.source == LabelSource.reserved, requirement.key == "host" else { return false }
            return requirement.matches(.ofHost)
        }
    }
}
