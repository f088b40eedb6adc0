// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// Somebody to compile for where no agent knows the real workloads and the real host.
struct ImaginedWorkload: Hashable {
    var name: String
    /// Its own, without what documents give it.
    var labels: LabelSet
    /// The name of the host that it is; empty: of none that documents name; nil: it is no host.
    var node: String?

    init(labels: LabelSet) { (name, self.labels) = ("\(labels)", labels) }

    /// A host that documents name.
    init(node: String, name: String) { (self.name, labels, self.node) = (name, .ofHost, node) }

    /// A host of which nothing but its labels is known.
    init(hostLabels labels: LabelSet) {
        let own = LabelSet(labels.labels.filter { $0.source != LabelSource.reserved })
        (name, self.labels, node) = (own.labels.isEmpty ? "host" : "host \(own)", labels, "")
    }

    var isHost: Bool { node != nil }

    /// A service of a host, which is judged at its sockets; to others it is the host.
    var isService: Bool { isHost && labels.isOfProcess }

    /// What it has with what documents give it.
    func belongings(by policies: [Policy]) -> EndpointGrants.Belongings {
        EndpointGrants(of: policies, node: node ?? "").applied(labels: labels, isHost: isHost)
    }
}

/// Label sets to compile for where no agent knows the real workloads.
enum ImaginedWorkloads {
    /// One for each selector of the policies, with just the labels it asks for; sorted, none twice.
    ///
    /// A selector without a label of its own stands for a workload of its namespace.
    static func labels(for policies: [Policy]) -> [LabelSet] {
        let inNamespace = LabelRequirement(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, .exists)
        let found = policies.flatMap { subjects(of: $0).filter { $0.kind == .workload }.map(\.labels) + peers(of: $0) }
            .compactMap { $0.requiring(inNamespace).fittingLabels() }
        return Set(found).sorted { $0.description < $1.description }
    }

    /// The selectors of all whom a policy is about, or gives something.
    static func subjects(of policy: Policy) -> [SubjectSelector] {
        policy.rules.map(\.subject) + policy.defaultDeny.map(\.subject)
            + policy.grants.compactMap { grant in
                if case .selected(let subject) = grant.recipient { return subject }
                return nil
            }
    }

    /// The label selectors of all at the other ends of a policy's rules.
    static func peers(of policy: Policy) -> [LabelSelector] {
        policy.rules.flatMap { rule -> [LabelSelector] in
            guard case .some(let selectors) = rule.peers else { return [] }
            return selectors.compactMap(\.endpointLabels)
        }
    }
}

extension LabelSet {
    static let ofHost = LabelSet([.host])

    /// Workloads always have a namespace.
    init(inDefaultNamespace labels: [Label]) {
        let hasNamespace = labels.contains { $0.key == WellKnownLabel.namespace }
        let namespace = Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "default")
        self.init(hasNamespace ? labels : labels + [namespace])
    }

    /// True if the labels tell a service of the host from the host.
    var isOfProcess: Bool { labels.contains { $0.source == LabelSource.process } }

    /// Those of the host that a service is of.
    var withoutProcess: LabelSet { LabelSet(labels.filter { $0.source != LabelSource.process }) }
}

extension Label {
    fileprivate static let host = Label(source: LabelSource.reserved, key: "host")
}

extension PeerSelector {
    /// Of workloads and hosts that it selects.
    fileprivate var endpointLabels: LabelSelector? {
        switch self {
        case .labels(let labels): labels
        case .narrowed(let selector, _): selector.endpointLabels
        case .prefix, .group, .groupNames, .name: nil
        }
    }
}
