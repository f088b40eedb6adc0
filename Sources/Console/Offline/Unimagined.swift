// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel

/// Whom policies select and nobody imagined is.
enum Unimagined {
    /// `any:role contains 'x'`, with the policies it is in: selectors of workloads and hosts for which no labels were found, and
    /// whom nobody who is imagined in any state is.
    ///
    /// `onlyHosts`: workloads are given, not imagined. Selectors that ask for what no label gives are left out.
    static func texts(_ states: [[Policy]], among imagined: [ImaginedWorkload], onlyHosts: Bool) -> [String] {
        let known = states.flatMap { state in imagined.map { $0.belongings(by: state).labels } }
        let groups = states.flatMap(\.self).compactMap(\.prefixGroup?.labels)
        var found: [LabelSelector: Set<String>] = [:]
        for policy in states.joined() {
            let subjects = ImaginedWorkloads.subjects(of: policy)
                .filter { !onlyHosts || $0.kind != .workload }.map(\.labels)
            let peers = onlyHosts ? [] : ImaginedWorkloads.peers(of: policy)
            for selector in Set(subjects + peers) where selector.canBeHad {
                found[selector, default: []].insert(policy.reference.text)
            }
        }
        return found.filter { selector, _ in
            selector.fittingLabels(besides: .ofHost) == nil && selector.fittingLabels() == nil
                && !known.contains(where: selector.matches) && !groups.contains(where: selector.matches)
        }.map { "`\($0)` (\($1.sorted().joined(separator: ", ")))" }.sorted()
    }
}

extension LabelSelector {
    /// False if it asks for what documents and the product alone give.
    fileprivate var canBeHad: Bool {
        requirements.allSatisfy { requirement in
            requirement.key == "host" || requirement.source != LabelSource.reserved && !requirement.key.contains(":")
        }
    }
}
