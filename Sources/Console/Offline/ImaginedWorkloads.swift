// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// Somebody to compile for where no agent knows the real workloads.
struct ImaginedWorkload: Hashable {
    var name: String
    /// Its own, without what documents give it.
    var labels: LabelSet
    /// The name of the host that it is; empty: of none that documents name; nil: it is no host.
    var node: String?

    init(_ labels: LabelSet) { (name, self.labels) = ("\(labels)", labels) }

    fileprivate init(node: String, name: String) {
        (self.name, self.node) = (name, node)
        labels = LabelSet([Label(source: LabelSource.reserved, key: "host")])
    }

    var isHost: Bool { node != nil }

    /// What it has with what documents give it.
    func belongings(by policies: [Policy]) -> EndpointGrants.Belongings {
        EndpointGrants(of: policies, node: node ?? "").applied(labels: labels, isHost: isHost)
    }
}

/// Label sets to compile for where no agent knows the real workloads.
enum ImaginedWorkloads {
    /// The hosts that documents name; if policies speak for the host and documents for none, one without a name.
    static func hosts(for policies: [Policy]) -> [ImaginedWorkload] {
        let nodes = policies.reduce(into: Set<String>()) { $0.formUnion($1.nodes) }.sorted()
        guard nodes.count < 2 else { return nodes.map { ImaginedWorkload(node: $0, name: "host \($0)") } }
        return namesHost(policies) ? [ImaginedWorkload(node: nodes.first ?? "", name: "host")] : []
    }

    /// One for each selector of the policies, with just the labels it asks for; sorted, none twice.
    ///
    /// A selector without a label of its own stands for a workload of its namespace.
    static func labels(for policies: [Policy]) -> [LabelSet] {
        var found: Set<LabelSet> = []
        for policy in policies {
            for selector in selectors(of: policy) {
                if let labels = labels(for: selector) { found.insert(labels) }
            }
        }
        return found.sorted { $0.description < $1.description }
    }

    /// True if a policy speaks for the host itself.
    static func namesHost(_ policies: [Policy]) -> Bool {
        policies.contains { policy in
            policy.defaultDeny.contains { $0.subject.kind != .workload }
                || policy.rules.contains { $0.subject.kind != .workload }
        }
    }

    private static func selectors(of policy: Policy) -> [LabelSelector] {
        let given = policy.grants.compactMap { grant in
            if case .selected(let subject) = grant.recipient { return subject }
            return nil
        }
        let subjects = policy.rules.map(\.subject) + policy.defaultDeny.map(\.subject) + given
        let peers = policy.rules.flatMap { rule -> [LabelSelector] in
            guard case .some(let selectors) = rule.peers else { return [] }
            return selectors.compactMap(\.workloadLabels)
        }
        return peers
            + subjects.compactMap { subject in
                if case .endpoints(let labels) = subject { return labels }
                return nil
            }
    }

    private static func labels(for selector: LabelSelector) -> LabelSet? {
        var labels: [Label] = []
        for requirement in selector.requirements {
            guard requirement.source != LabelSource.reserved else { return nil }
            let source = requirement.source == LabelSource.any ? LabelSource.kubernetes : requirement.source
            switch requirement.operation {
            case .isIn(let values):
                labels.append(Label(source: source, key: requirement.key, value: values.first ?? ""))
            case .exists: labels.append(Label(source: source, key: requirement.key))
            case .has(_, let text): labels.append(Label(source: source, key: requirement.key, value: text))
            case .isNotIn, .doesNotExist, .hasNot: continue
            }
        }
        let set = LabelSet(inDefaultNamespace: labels)
        return selector.matches(set) ? set : nil
    }
}

extension LabelSet {
    /// Workloads always have a namespace.
    init(inDefaultNamespace labels: [Label]) {
        let hasNamespace = labels.contains { $0.key == WellKnownLabel.namespace }
        let namespace = Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "default")
        self.init(hasNamespace ? labels : labels + [namespace])
    }
}

extension PeerSelector {
    /// Of workloads that it selects.
    fileprivate var workloadLabels: LabelSelector? {
        switch self {
        case .labels(let labels): labels
        case .narrowed(let selector, _): selector.workloadLabels
        case .prefix, .group, .groupNames, .name: nil
        }
    }
}
