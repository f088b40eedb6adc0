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
    /// Every selector of names with the rule that has it, in the order of the policies.
    package static func rulesByName(_ policies: some Sequence<Policy>) -> [NamedRule] {
        policies.sorted { $0.reference < $1.reference }.flatMap(\.rules).flatMap { rule -> [NamedRule] in
            guard case .some(let selectors) = rule.peers else { return [] }
            return selectors.compactMap { selector in
                guard case .name(let name) = selector else { return nil }
                return NamedRule(selector: name, subject: rule.subject.labels, text: rule.origin.text)
            }
        }
    }
}
