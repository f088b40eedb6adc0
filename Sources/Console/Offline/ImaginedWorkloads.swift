// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// Label sets to compile for where no agent knows the real workloads.
enum ImaginedWorkloads {
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
        let subjects = policy.rules.map(\.subject) + policy.defaultDeny.map(\.subject)
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
        case .prefix, .group, .name: nil
        }
    }
}
