// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import PolicyModel

/// What about documents looks unintended whatever the workloads are: needs no agent.
package enum PolicyLint {
    /// One entry per rule and cause, in the order of the policies.
    package static func diagnostics(_ policies: [Policy]) -> [RuleDiagnostic] {
        let sorted = policies.sorted { $0.reference < $1.reference }
        let denies = DenyIndex(sorted.flatMap(\.rules))
        return sorted.flatMap(\.rules).flatMap { diagnostics(of: $0, denies) }
    }

    private static func diagnostics(of rule: PolicyRule, _ denies: DenyIndex) -> [RuleDiagnostic] {
        var found: [RuleDiagnostic] = []
        func report(_ kind: RuleDiagnostic.Kind, _ message: String) {
            found.append(RuleDiagnostic(kind: kind, origin: rule.origin, message: message))
        }
        if rule.action == .pass { report(.passUnsupported, RuleDiagnostic.passMessage) }
        if !rule.subject.labels.isSatisfiable {
            report(.contradictory, contradiction("subject", rule.subject.labels))
        }
        for selector in rule.peers.selectors {
            if case .labels(let labels) = selector, !labels.isSatisfiable {
                report(.contradictory, contradiction("peer", labels))
            }
        }
        if found.isEmpty, rule.action == .allow, let deny = denies.first(covering: rule) {
            report(
                .unreachable,
                "everything it allows is denied by \(deny.origin.text) at \(deny.origin.source.text), and deny wins: "
                    + "remove one of the two, or narrow the deny rule")
        }
        return found
    }

    private static func contradiction(_ side: String, _ selector: LabelSelector) -> String {
        "the \(side) selector \(selector) contradicts itself, so the rule never applies: correct its labels"
    }
}

extension RuleDiagnostic {
    static let passMessage = "action pass is not supported yet; the rule is left out: use allow or deny"
}

/// The deny rules of a set by a condition that whatever they cover must meet.
///
/// So that a rule is compared with few of them, however many there are.
private struct DenyIndex {
    private var rules: [String: [PolicyRule]] = [:]

    init(_ rules: [PolicyRule]) {
        for rule in rules where rule.action == .deny {
            for key in DenyIndex.keys(ofDeny: rule) { self.rules[key, default: []].append(rule) }
        }
    }

    func first(covering rule: PolicyRule) -> PolicyRule? {
        DenyIndex.keys(ofAllow: rule).lazy.flatMap { rules[$0] ?? [] }.first { $0.covers(rule) }
    }

    /// A label selector covers only selectors that restrict the same key to some of its values.
    private static func keys(ofDeny rule: PolicyRule) -> [String] {
        let lists = rule.subject.labels.requirements.compactMap { requirement -> [String]? in
            guard case .isIn(let values) = requirement.operation else { return nil }
            return values.map { "\(rule.direction) \(requirement.source):\(requirement.key)=\($0)" }
        }
        return lists.last ?? ["\(rule.direction)"]
    }

    private static func keys(ofAllow rule: PolicyRule) -> [String] {
        rule.subject.labels.requirements.compactMap { requirement in
            guard case .isIn(let values) = requirement.operation, let value = values.first else { return nil }
            return "\(rule.direction) \(requirement.source):\(requirement.key)=\(value)"
        } + ["\(rule.direction)"]
    }
}
