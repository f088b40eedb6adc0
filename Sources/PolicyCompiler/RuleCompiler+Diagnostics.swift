// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel
package import PolicyModel

/// What about the rules looks unintended, judged by what they select at present.
extension RuleCompiler {
    /// One entry per rule and cause, in the order of the policies.
    ///
    /// `workloadAddresses`: to tell where a prefix covers workloads that it will not match.
    package func diagnostics(workloadAddresses: [IPAddress] = []) -> [RuleDiagnostic] {
        policies.values.sorted { $0.policy.reference < $1.policy.reference }.flatMap { compiled in
            diagnostics(of: compiled, workloadAddresses)
        }
    }

    /// The diagnostics of one policy; empty if it is not there.
    package func diagnostics(of reference: PolicyReference, workloadAddresses: [IPAddress] = []) -> [RuleDiagnostic] {
        policies[reference].map { diagnostics(of: $0, workloadAddresses) } ?? []
    }

    private func diagnostics(of compiled: CompiledPolicy, _ addresses: [IPAddress]) -> [RuleDiagnostic] {
        compiled.rules.flatMap { diagnostics(of: $0, addresses) }.ofWhole(compiled.rules.map(\.rule.origin))
    }

    /// Of these only what concerns ports by name: a rule that silently covers no port, or not those it seems to.
    ///
    /// Looks at the rules with names only, so that it may be asked often.
    package func portNameDiagnostics() -> [RuleDiagnostic] {
        let rules = policies.values.flatMap(\.rules).filter { !$0.ports.names.isEmpty }.sorted { $0.precedes($1) }
        var found: [RuleDiagnostic] = []
        for rule in rules {
            reportNames(of: rule, selectedSubjects(by: rule), rule.peerUses.map(members)) { kind, message, remedy in
                found.append(RuleDiagnostic(kind: kind, origin: rule.rule.origin, message: message, remedy: remedy))
            }
        }
        return found
    }

    private func diagnostics(of rule: CompiledRule, _ addresses: [IPAddress]) -> [RuleDiagnostic] {
        var found: [RuleDiagnostic] = []
        func report(_ kind: RuleDiagnostic.Kind, _ message: String, _ remedy: String) {
            found.append(RuleDiagnostic(kind: kind, origin: rule.rule.origin, message: message, remedy: remedy))
        }
        if rule.slot == RuleRegistry.unnumbered {
            report(
                .unnumbered,
                "all \(RuleRegistry.slotRange.count) rule numbers are in use; the rule is enforced, but verdicts cannot "
                    + "name it", "merge rules or remove policies")
        }
        let subjectSlots = selectedSubjects(by: rule)
        if subjectSlots.isEmpty, rule.subject.labels.isSatisfiable {
            report(
                .selectsNoEndpoint,
                rule.subject.kind == .workload
                    ? "the selector matches no endpoint of this host"
                    : "the \(rule.rule.origin.policy.language == .cilium ? "node " : "")selector matches no host endpoint here",
                rule.subject.kind == .workload
                    ? "correct its labels if it should" : "enable the host endpoint or correct the labels")
        }
        let selectedPeers = rule.peerUses.map(members)
        if let selectedPeers, selectedPeers.isEmpty, rule.rule.peers.mayExist {
            report(.peerSelectsNothing, "the peers match no identity known here", "correct the labels if they should")
        }
        reportNames(of: rule, subjectSlots, selectedPeers, report)
        reportPrefixes(of: rule, addresses, report)
        return found
    }

    private func members(of uses: [CompiledRule.PeerUse]) -> [UInt32] { uses.flatMap(members) }

    private func reportNames(
        of rule: CompiledRule, _ slots: [UInt16], _ selectedPeers: [UInt32]?,
        _ report: (RuleDiagnostic.Kind, String, String) -> Void
    ) {
        let askedPeers = selectedPeers ?? portNameIndex.members(of: rule.namesOfAnyPeer)
        let owners =
            rule.rule.direction == .ingress
            ? slots.compactMap { subjects[$0]?.namedPorts } : askedPeers.compactMap { peers[$0]?.namedPorts }
        // Nobody selected has its own diagnostic; towards anyone the name itself selects.
        for name in rule.ports.names where !owners.isEmpty || !rule.namesOfAnyPeer.isEmpty {
            let text = "port name '\(name.name)' (\(name.proto))"
            if owners.allSatisfy({ $0.numbers[name]?.isEmpty ?? true }) {
                report(
                    .namedPortUndefined,
                    "\(text) is not defined by any endpoint it is meant for", "define it there or write the number")
            } else if owners.contains(where: { ($0.numbers[name]?.count ?? 0) > 1 }) {
                report(
                    .namedPortConflicting,
                    "\(text) has different numbers on endpoints with equal labels; "
                        + (rule.rule.action == .deny ? "all of them are denied" : "none of them is opened"),
                    "give it one number or write the numbers")
            }
        }
    }

    private func reportPrefixes(
        of rule: CompiledRule, _ addresses: [IPAddress], _ report: (RuleDiagnostic.Kind, String, String) -> Void
    ) {
        guard case .some(let selectors) = rule.rule.peers else { return }
        for case .prefix(let prefix, let except, false) in selectors {
            let excluded = PrefixSet(except)
            let covered = addresses.filter { prefix.contains($0) && !excluded.contains($0) }
            guard let example = covered.first else { continue }
            report(
                .prefixMissesWorkloads,
                "prefix \(prefix) covers \(covered.count) workload addresses (\(example)), but a prefix of this kind "
                    + "never matches workloads", "select them by labels")
        }
    }
}
