// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel
package import PolicyModel

/// A prefix a policy mentions, exceptions included: each needs an identity of its own.
package struct PolicyPrefix: Hashable, Sendable {
    package var prefix: CIDR
    /// Of a selector that also matches workloads.
    package var includesWorkloads: Bool

    package init(prefix: CIDR, includesWorkloads: Bool) {
        self.prefix = prefix
        self.includesWorkloads = includesWorkloads
    }
}

extension PolicyPrefix: Comparable {
    /// By address, then length.
    package static func < (a: PolicyPrefix, b: PolicyPrefix) -> Bool {
        (a.prefix.address, a.prefix.length, a.includesWorkloads ? 1 : 0)
            < (b.prefix.address, b.prefix.length, b.includesWorkloads ? 1 : 0)
    }
}

extension Policy {
    /// Every DNS name or pattern of names the policy mentions or gives a group, once.
    package var names: Set<NameSelector> {
        var result = Set(prefixGroup?.names ?? [])
        for rule in rules {
            guard case .some(let selectors) = rule.peers else { continue }
            result.formUnion(selectors.compactMap(\.domainName))
        }
        return result
    }

    /// Every prefix the policy mentions, once.
    package var prefixes: Set<PolicyPrefix> {
        var result: Set<PolicyPrefix> = []
        for rule in rules {
            guard case .some(let selectors) = rule.peers else { continue }
            for selector in selectors { result.formUnion(selector.prefixes) }
        }
        return result
    }
}

extension PeerSelector {
    /// Every prefix that it tells apart.
    package var prefixes: [PolicyPrefix] {
        switch self {
        case .labels, .group, .name, .groupNames: []
        case .prefix(let prefix, let except, let includesWorkloads):
            ([prefix] + except).map { PolicyPrefix(prefix: $0, includesWorkloads: includesWorkloads) }
        case .narrowed(let selector, let condition):
            selector.prefixes + condition.prefixes.map { PolicyPrefix(prefix: $0, includesWorkloads: true) }
        }
    }

    /// The labels by which it selects identities or groups; nil: it means prefixes or names.
    package var labels: LabelSelector? {
        switch self {
        case .labels(let labels), .group(let labels): labels
        case .prefix, .name, .groupNames: nil
        case .narrowed(let selector, _): selector.labels
        }
    }
}
