// SPDX-License-Identifier: Apache-2.0

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

extension Policy {
    /// Every prefix the policy mentions, once.
    package var prefixes: Set<PolicyPrefix> {
        var result: Set<PolicyPrefix> = []
        for rule in rules {
            guard case .some(let selectors) = rule.peers else { continue }
            for case .prefix(let prefix, let except, let includesWorkloads) in selectors {
                for each in [prefix] + except {
                    result.insert(PolicyPrefix(prefix: each, includesWorkloads: includesWorkloads))
                }
            }
        }
        return result
    }
}
