// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import LinuxHost
import PolicyCompiler
import PolicyModel
import PolicyReading

extension AgentState {
    func lintPolicies(_ request: LintRequest) async throws(APIError) -> LintReport {
        let (set, reading) = await request.policies(reader)
        var change = desiredChange()
        for policy in set.policies { change.policies[policy.reference] = lasting(policy) }
        let parties = planParties(after: EngineChange(policies: change.policies)).map {
            VerdictComparison.Party(name: $0.name, side: $0.after)
        }
        var inputs = LintInputs(
            policies: Array(engine.input.policies.values) + lapsed, reading: reading, compiled: engine.diagnostics(),
            focus: nil,
            surroundings: LintSurroundings(
                workloads: parties,
                openPorts: openPorts, isHostEndpoint: configuration.hostEndpoint.isEnabled,
                now: Timestamp.secondsNow(), readsAnswers: readsAnswers,
                options: CompileOptions(allowHost: configuration.allowsHostAccess)))
        guard !request.documents.isEmpty else {
            inputs.applied = applied.entries.values.filter { directory[$0.reference] == nil }
            inputs.files = directory.filesInForce
            return await inputs.review(reader)
        }
        inputs.focus = Set(set.policies.map(\.reference))
        inputs.policies.removeAll { set[$0.reference] != nil }
        inputs.policies += set.policies
        // With an error nothing would come into force: what the rest would mean there is no answer to its author.
        guard !reading.hasErrors else { return inputs.errors() }
        do {
            inputs.compiled = try engine.compileAside(change).diagnostics
        } catch {
            throw APIError(.commitFailed, "\(error)")
        }
        return await inputs.review(reader)
    }
}

extension AgentState {
    /// Names become addresses: some resolver's answers are read.
    var readsAnswers: Bool { !configuration.names.resolvers.isEmpty }

    /// What looks unintended about rules whatever the workloads are, with what this agent does not do for them.
    func lint(_ policies: some Sequence<Policy>) -> [RuleDiagnostic] {
        PolicyLint.diagnostics(Array(policies))
            + (readsAnswers ? [] : PolicyLint.namesNotRead(policies, isKnown: true))
    }
}

extension LintRequest {
    /// Nobody waits for it but who asked: a text of megabytes takes seconds.
    @concurrent fileprivate func policies(_ reader: PolicyReader) async -> (set: PolicySet, reading: [Diagnostic]) {
        var set = PolicySet()
        var reading: [Diagnostic] = []
        for document in documents {
            let result = reader.read(document.text, file: document.name)
            reading += result.diagnostics + set.merge(result.policies)
        }
        return (set, reading)
    }
}

/// What a review needs, taken out of the agent's state.
private struct LintInputs: Sendable {
    var policies: [Policy]
    var reading: [Diagnostic]
    /// Documents in force of which the reader is to speak too.
    var applied: [AppliedPolicy] = []
    var files: PolicyDirectory.FilesInForce?
    var compiled: [RuleDiagnostic]
    var focus: Set<PolicyReference>?
    var surroundings: LintSurroundings

    /// Nobody waits for it but who asked.
    @concurrent func review(_ reader: PolicyReader) async -> LintReport {
        var owned: [LintFinding] = []
        var unread: Set<PolicyReference> = []
        for entry in applied {
            guard let diagnostics = entry.diagnostics(reader) else {
                unread.insert(entry.reference)
                continue
            }
            owned += diagnostics.map { LintFinding(policy: entry.reference, diagnostic: $0) }
        }
        let files = files?.diagnostics() ?? (found: [], changed: [])
        unread.formUnion(policies.filter { files.changed.contains($0.source.file) }.map(\.reference))
        let result = PolicyReview(policies, surroundings).run(
            focus: focus, reading: reading + files.found, owned: owned, unread: unread, compiled: compiled)
        return LintReport(result, policies: names, workloads: surroundings.workloads?.count { !$0.side.isHost })
    }

    /// The findings of the reader alone.
    func errors() -> LintReport {
        LintReport(
            findings: reading.map { LintReport.Finding(policy: nil, diagnostic: DiagnosticRecord($0)) },
            policies: names, workloads: nil)
    }

    private var names: [String] {
        policies.map(\.reference).filter { focus?.contains($0) ?? true }.map(\.text).sorted()
    }
}

extension LintReport {
    fileprivate init(_ result: PolicyReview.Result, policies: [String], workloads: Int?) {
        self.init(
            findings: result.findings.map { finding in
                Finding(
                    policy: finding.policy?.text, diagnostic: DiagnosticRecord(finding.diagnostic),
                    exemption: finding.exemption)
            }, policies: policies, workloads: workloads, unjudgedRules: result.unjudgedRules)
    }
}
