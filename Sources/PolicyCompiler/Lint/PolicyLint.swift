// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import PolicyModel

/// What about documents looks unintended whatever the workloads are: needs no agent.
package enum PolicyLint {
    /// One entry per rule and cause, in the order of the policies.
    package static func diagnostics(_ policies: [Policy]) -> [RuleDiagnostic] {
        diagnostics(RankedRules(policies))
    }

    /// The same of rules that were compared already.
    static func diagnostics(_ ranked: RankedRules) -> [RuleDiagnostic] {
        ranked.rules.flatMap { diagnostics(of: $0, ranked) }.ofWhole(ranked.rules.map(\.rule.origin))
    }

    private static func diagnostics(of ranked: RankedRule, _ all: RankedRules) -> [RuleDiagnostic] {
        let rule = ranked.rule
        var found: [RuleDiagnostic] = []
        func report(_ kind: RuleDiagnostic.Kind, _ message: String, _ remedy: String) {
            found.append(RuleDiagnostic(kind: kind, origin: rule.origin, message: message, remedy: remedy))
        }
        if !rule.subject.labels.isSatisfiable {
            report(.contradictory, contradiction("subject", rule.subject.labels), "correct its labels")
        }
        for selector in rule.peers.selectors {
            if let labels = selector.labels, !labels.isSatisfiable {
                report(.contradictory, contradiction("peer", labels), "correct its labels")
            }
        }
        guard found.isEmpty, let winner = all.winner(over: ranked) else { return found }
        let place = "\(winner.rule.origin.text) at \(winner.rule.origin.source.text)"
        if winner.tier == ranked.tier, winner.rule.action == .deny, rule.action == .allow {
            report(
                .unreachable, "everything it allows is denied by \(place), which wins",
                "remove one of the two, or narrow the deny rule")
        } else {
            let tier = winner.tier == ranked.tier ? "" : " in the \(winner.tier.name) tier"
            report(
                .shadowed,
                "everything it speaks of is decided before by \(place)\(tier) (\(winner.rule.action))",
                "remove one of the two, or put this rule before it")
        }
        return found
    }

    private static func contradiction(_ side: String, _ selector: LabelSelector) -> String {
        "the \(side) selector \(selector) contradicts itself, so the rule never applies"
    }
}
