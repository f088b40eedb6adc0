// SPDX-License-Identifier: Apache-2.0

import NetworkModel
package import PolicyModel

/// Rules by DNS name need somebody who reads answers.
extension PolicyLint {
    /// One finding for each rule by name: nobody's answers are read, so it does nothing.
    ///
    /// `isKnown`: the agent is asked and has no resolvers; else it is not known whether it has, which is worth a note.
    package static func namesNotRead(_ policies: some Sequence<Policy>, isKnown: Bool) -> [RuleDiagnostic] {
        let groups = NamedGroups(policies), words = NameWording(policies)
        // A rule of several stages is several here, all of one origin.
        var told: Set<RuleOrigin> = []
        return policies.sorted { $0.reference < $1.reference }.flatMap(\.rules).compactMap { rule in
            let names = groups.names(of: rule).sorted()
            guard !names.isEmpty, told.insert(rule.origin).inserted else { return nil }
            let effect =
                switch rule.action {
                case .allow: "opens nothing"
                case .deny: "denies nothing"
                case .pass: "passes nothing on"
                }
            let rest = names.count > 3 ? " and \(names.count - 3) more" : ""
            let list = names.prefix(3).map(words.text).joined(separator: ", ") + rest
            // Of what selects more than names only these are in question.
            let isByGroup = !rule.peers.selectors.contains { $0.domainName != nil }
            let what =
                isByGroup ? "the rule, as far as it means names of sets (\(list))," : "the rule by name (\(list))"
            return RuleDiagnostic(
                kind: .namesNotRead, origin: rule.origin,
                message: isKnown
                    ? "\(what) \(effect): `dns.resolvers` of this agent is empty, so no DNS answer is read"
                    : "\(what) \(effect) where `dns.resolvers` of the agent is empty",
                remedy: "list in `dns.resolvers` of the agent's configuration the addresses that workloads ask",
                severity: isKnown ? .warning : .note)
        }
    }
}
