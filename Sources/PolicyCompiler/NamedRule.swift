// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel
package import PolicyModel

/// A rule that relies on DNS names.
package struct NamedRule: Hashable, Sendable {
    package var selector: NameSelector
    /// Labels of the endpoints that the rule speaks for.
    package var subject: LabelSelector
    /// `CiliumNetworkPolicy/shop/api egress[0]`.
    package var text: String
}

extension Explainer {
    /// Every selector of names with each rule that means it, also by a group, in the order of the policies.
    package static func rulesByName(_ policies: some Sequence<Policy>) -> [NamedRule] {
        let groups = NamedGroups(policies)
        return policies.sorted { $0.reference < $1.reference }.flatMap(\.rules).flatMap { rule in
            groups.names(of: rule).sorted().map { name in
                NamedRule(selector: name, subject: rule.subject.labels, text: rule.origin.text)
            }
        }
    }
}
