// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
package import PolicyModel

/// Everything about policies that looks ineffective or surprising: what `policy lint` says.
///
/// Rules are judged together, whichever policy they are of. Where it takes more than comparing selectors to be sure,
/// nothing is said.
package struct PolicyReview {
    /// Those in force; one whose time is over has no say.
    let policies: [Policy]
    private let lapsed: [Policy]
    let surroundings: LintSurroundings
    let rules: [PolicyRule]
    let services: ServiceRules
    /// What the policies define, for those that refer to it.
    let definedTiers: Set<String>
    let definedProfiles: Set<String>
    let describedGroups: DescribedGroups
    let namedGroups: NamedGroups

    /// What a review found.
    package struct Result: Sendable {
        /// Sorted by place; those with an exemption included.
        package var findings: [LintFinding] = []
        /// Rules whose other end was not asked, for there were too many questions.
        package var unjudgedRules = 0
    }

    package init(_ policies: [Policy], _ surroundings: LintSurroundings = LintSurroundings()) {
        let isOver = { (policy: Policy) in (policy.validUntil ?? .max) <= (surroundings.now ?? .min) }
        self.policies = policies.filter { !isOver($0) }.sorted { $0.reference < $1.reference }
        lapsed = policies.filter(isOver).sorted { $0.reference < $1.reference }
        self.surroundings = surroundings
        rules = self.policies.flatMap(\.rules)
        services = ServiceRules(rules)
        definedTiers = Set(self.policies.compactMap(\.definedTier?.name))
        definedProfiles = Set(self.policies.compactMap(\.definedProfile))
        describedGroups = DescribedGroups(self.policies)
        namedGroups = NamedGroups(self.policies)
    }

    /// Looks at the policies.
    ///
    /// `focus`: the policies to speak of; nil: all. `reading`: what the reader said of their documents; `owned`: the same
    /// where it is known of which policy; `unread`: those of which nothing is known that the reader said; `compiled`: what
    /// the compiler said of their rules.
    package func run(
        focus: Set<PolicyReference>? = nil, reading: [Diagnostic] = [], owned: [LintFinding] = [],
        unread: Set<PolicyReference> = [], compiled: [RuleDiagnostic] = []
    ) -> Result {
        let isMeant = { (policy: Policy) in focus?.contains(policy.reference) ?? true }
        let meant = policies.filter(isMeant)
        let over = lapsed.filter(isMeant)
        let references = Set(meant.map(\.reference))
        var result = Result()
        let files = Dictionary(grouping: meant + over) { $0.source.file }
        result.findings = reading.map { LintFinding(policy: owner(of: $0, in: files), diagnostic: $0) } + owned
        let ofNames =
            surroundings.readsAnswers == true
            ? [] : PolicyLint.namesNotRead(policies, isKnown: surroundings.readsAnswers == false)
        let ranked = RankedRules(policies)
        for finding in compiled.adding(PolicyLint.diagnostics(ranked) + ofNames)
        where references.contains(finding.origin.policy) {
            result.findings.append(LintFinding(policy: finding.origin.policy, diagnostic: finding.diagnostic))
        }
        var found: [LintFinding] = redundancies(ranked).filter { $0.policy.map(references.contains) ?? true }
        found += over.compactMap(lapse)
        for policy in meant {
            found += definitions(of: policy) + effect(of: policy) + families(of: policy) + nameResolution(of: policy)
            found += ping(of: policy) + hostAccess(of: policy) + descriptions(of: policy) + leftOutNames(of: policy)
        }
        var ends = OtherEnds(self)
        for policy in meant { found += ends.findings(of: policy) }
        result.unjudgedRules = ends.unjudgedRules
        found += declaredPorts(meant)
        result.findings += found
        exempt(&result.findings, meant + over, unread: unread)
        result.findings.sort { $0.diagnostic.isPlaced(before: $1.diagnostic) }
        return result
    }

    // MARK: Exemptions

    private func owner(of diagnostic: Diagnostic, in files: [String: [Policy]]) -> PolicyReference? {
        // Several may begin on one line.
        let place = (diagnostic.location.line, diagnostic.location.column)
        return files[diagnostic.location.file]?.filter { ($0.source.line, $0.source.column) <= place }
            .max { ($0.source.line, $0.source.column) < ($1.source.line, $1.source.column) }?.reference
    }

    private func exempt(_ findings: inout [LintFinding], _ policies: [Policy], unread: Set<PolicyReference>) {
        let exemptions = Dictionary(
            policies.map { ($0.reference, $0.lintExemptions) }, uniquingKeysWith: { first, _ in first })
        var used: Set<String> = []
        for index in findings.indices where findings[index].diagnostic.severity != .error {
            guard let policy = findings[index].policy else { continue }
            let code = findings[index].diagnostic.code
            findings[index].exemption = exemptions[policy]?[code]
            used.insert("\(policy.text) \(code)")
        }
        for policy in policies where !unread.contains(policy.reference) {
            for code in policy.lintExemptions.keys where !used.contains("\(policy.reference.text) \(code)") {
                // What depends on workloads or other policies may be found elsewhere, or tomorrow.
                guard !PolicyReview.dependsOnOthers.contains(code) else { continue }
                findings.append(
                    finding(
                        policy, .note, .unusedExemption, "\(code) is to be ignored, but is not found here",
                        remedy: "delete it from bulkhead.dev/lintIgnore"))
            }
        }
    }

    /// Codes that one policy alone does not decide.
    static let dependsOnOthers: Set<DiagnosticCode> = [
        .unreachable, .shadowed, .redundant, .dnsBlocked, .dnsOverTCPBlocked, .icmpBlocked,
        .selectsNoEndpoint, .peerSelectsNothing, .namedPortUndefined, .namedPortConflicting, .prefixMissesWorkloads,
        .otherEndDenies, .declaredPortClosed, .hostAccessCut, .lapsed, .unnumbered, .namesNotRead,
        .undefinedTier, .setNamesLeftOut,
    ]

    // MARK: Making findings

    func finding(
        _ policy: Policy, _ severity: Diagnostic.Severity, _ code: DiagnosticCode, _ message: String, remedy: String,
        at rule: RuleOrigin? = nil
    ) -> LintFinding {
        let name = rule?.text ?? policy.reference.text
        return LintFinding(
            policy: policy.reference,
            diagnostic: Diagnostic(
                severity: severity, code: code, location: rule?.source ?? policy.source,
                message: "\(name): \(message)", remedy: remedy))
    }

    /// True if an endpoint may exist that both speak for.
    static func mayMeet(_ a: SubjectSelector, _ b: SubjectSelector) -> Bool {
        a.kind == b.kind && LabelSelector(a.labels.requirements + b.labels.requirements).isSatisfiable
    }
}

extension Diagnostic {
    fileprivate func isPlaced(before other: Diagnostic) -> Bool {
        (location.file, location.line, location.column, code.description, message)
            < (other.location.file, other.location.line, other.location.column, other.code.description, other.message)
    }
}
