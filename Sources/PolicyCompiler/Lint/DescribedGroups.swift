// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// The groups that documents describe, found by a label that a selector names.
struct DescribedGroups {
    private let all: [LabelSet]
    private let byLabel: [Label: [LabelSet]]

    init(_ policies: [Policy]) {
        all = policies.compactMap(\.prefixGroup?.labels)
        var byLabel: [Label: [LabelSet]] = [:]
        for labels in all {
            for label in labels.labels { byLabel[label, default: []].append(labels) }
        }
        self.byLabel = byLabel
    }

    /// True if some group matches.
    func contains(_ selector: LabelSelector) -> Bool {
        // A name meets few groups: looking at all of them for each rule would take long.
        var candidates = all[...]
        for requirement in selector.requirements {
            guard case .isIn(let values) = requirement.operation, requirement.source != LabelSource.any else {
                continue
            }
            let named = values.flatMap {
                byLabel[Label(source: requirement.source, key: requirement.key, value: $0)] ?? []
            }
            if named.count < candidates.count { candidates = named[...] }
        }
        return candidates.contains(where: selector.matches)
    }
}

extension PeerSelector {
    /// Without what narrows it.
    var unconditional: PeerSelector {
        if case .narrowed(let selector, _) = self { selector.unconditional } else { self }
    }
}

extension LabelSelector {
    /// Whom it names, as documents do: without the kind of member.
    var described: LabelSelector { LabelSelector(requirements.filter { $0.key != WellKnownLabel.serviceAddresses }) }

    /// The source by which only a service or a CIDR group can match; nil: nodes, sets of Calico, workloads.
    var describedKind: String? {
        requirements.lazy.map(\.source).first { $0 == LabelSource.cidrGroup || $0 == LabelSource.service }
    }
}
