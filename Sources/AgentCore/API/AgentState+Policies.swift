// SPDX-License-Identifier: Apache-2.0

import ClusterSchema
import ControlAPI
import KernelDatapath
import LinuxHost
import PolicyCompiler
import PolicyModel

extension AgentState {
    func policies() async throws(APIError) -> [PolicyRecord] {
        let authors = await fleet?.authors() ?? [:]
        return (Array(engine.input.policies.values) + lapsed).sorted { $0.reference < $1.reference }.map {
            record($0, authors)
        }
    }

    func policy(_ reference: String) async throws(APIError) -> PolicyRecord {
        let authors = await fleet?.authors() ?? [:]
        let policy = try find(reference)
        var record = record(policy, authors)
        record.document = applied.entries[policy.reference]?.document
        if record.appliedBy != nil, let unit = cluster?.documents.unit(of: policy.reference) {
            record.document = await fleet?.text(of: unit).map { String(decoding: $0, as: UTF8.self) }
        }
        record.warnings = lint([policy.reference])
        return record
    }

    func applyPolicies(
        _ documents: [PolicyDocument], options: ChangeOptions
    ) async throws(APIError) -> PolicyChangeReport {
        let bundle = try read(documents)
        if let store = try sharedStore(options) { return try await share(bundle, in: store, options) }
        try checkDirectory(bundle.items.map(\.policy.reference))
        let edits = bundle.items.map { item in
            AppliedPolicies.Edit(reference: item.policy.reference, after: (AppliedPolicy(item), item.policy))
        }
        var report = try transact(edits, .apply, options, diagnostics: bundle.records)
        guard report.inForce else { return report }
        report.diagnostics += lint(bundle.items.map(\.policy.reference))
        return report
    }

    func deletePolicy(_ reference: String, options: ChangeOptions) async throws(APIError) -> PolicyChangeReport {
        if let store = try sharedStore(options) { return try await withdraw(reference, from: store, options) }
        return try transact(try deletion(of: reference), .delete, options)
    }

    /// Throws if no applied policy has the name.
    func deletion(of reference: String) throws(APIError) -> [AppliedPolicies.Edit] {
        let policy = try find(reference)
        guard applied.policies[policy.reference] != nil, directory[policy.reference] == nil else {
            throw APIError(
                .refused, "\(policy.reference.text) comes from \(policy.source.text): remove it there")
        }
        return [AppliedPolicies.Edit(reference: policy.reference)]
    }

    func validatePolicies(_ document: PolicyDocument) async throws(APIError) -> ValidationReport {
        let bundle = PolicyBundle(document.text, file: document.name, reader: reader)
        var diagnostics = bundle.records
        if !bundle.hasErrors { diagnostics += try compileAside(document).diagnostics.dropFirst(bundle.records.count) }
        return ValidationReport(
            isValid: !bundle.hasErrors, policies: bundle.items.map(\.policy.reference.text), diagnostics: diagnostics)
    }

    func compilePolicies(_ document: PolicyDocument) async throws(APIError) -> CompileReport {
        let (aside, diagnostics) = try compileAside(document)
        return CompileReport(
            lines: aside.state.lines(), legend: aside.legend(MapLegend(aside.state)), diagnostics: diagnostics)
    }

    func diffPolicies(_ document: PolicyDocument, limit: Int) async throws(APIError) -> DiffReport {
        let (aside, diagnostics) = try compileAside(document)
        let current = engine.completeState()
        let changes = current.changes(to: aside.state)
        var report = DiffReport(
            lines: changes.lines(from: current), legend: aside.legend(MapLegend(changes)), diagnostics: diagnostics)
        if !document.text.isEmpty {
            report.plan = try await planPolicies(.apply([document]), limit: limit, findings: diagnostics)
        }
        return report
    }
}

extension AgentState {
    /// An empty document stands for nothing new.
    private func compileAside(
        _ document: PolicyDocument
    ) throws(APIError) -> (aside: PolicyEngine.Aside, diagnostics: [DiagnosticRecord]) {
        guard !document.text.isEmpty else {
            let inForce = engine.inForce()
            return (inForce, inForce.diagnostics.map(\.record))
        }
        return try compileAside(try read(document))
    }

    /// What would be if all of them were applied, and what `apply` says of them.
    func compileAside(
        _ bundle: PolicyBundle
    ) throws(APIError) -> (aside: PolicyEngine.Aside, diagnostics: [DiagnosticRecord]) {
        var change = desiredChange()
        for item in bundle.items { change.policies[item.policy.reference] = lasting(item.policy) }
        do {
            let aside = try engine.compileAside(change)
            var policies = engine.input.policies
            policies.apply(change.policies)
            let references = Set(bundle.items.map(\.policy.reference))
            let findings = aside.diagnostics.adding(lint(policies.values))
            return (aside, bundle.records + findings.filter { references.contains($0.origin.policy) }.map(\.record))
        } catch {
            throw APIError(.commitFailed, "\(error)")
        }
    }

    /// Documents that come into force together; throws what is wrong in any of them.
    func read(_ documents: [PolicyDocument]) throws(APIError) -> PolicyBundle {
        var all = PolicyBundle(items: [], diagnostics: [])
        var set = PolicySet()
        var failed: [String] = []
        var empty: [String] = []
        for document in documents {
            let bundle = PolicyBundle(document.text, file: document.name, reader: reader)
            let duplicates = set.merge(bundle.items.map(\.policy))
            all.items += bundle.items
            all.diagnostics += bundle.diagnostics + duplicates
            if (bundle.diagnostics + duplicates).hasErrors {
                failed.append(document.name)
            } else if bundle.items.isEmpty {
                empty.append(document.name)
            }
        }
        guard failed.isEmpty else {
            let scope = documents.count == 1 ? "nothing of it" : "no file"
            throw APIError(
                .invalidPolicy,
                "\(failed.joined(separator: ", ")) \(failed.count == 1 ? "has" : "have") errors; \(scope) was applied",
                diagnostics: all.records)
        }
        guard empty.isEmpty else {
            throw APIError(
                .invalidPolicy,
                "\(empty.joined(separator: ", ")) \(empty.count == 1 ? "holds" : "hold") no policy",
                diagnostics: all.records)
        }
        return all
    }

    func read(_ document: PolicyDocument) throws(APIError) -> PolicyBundle {
        let bundle = PolicyBundle(document.text, file: document.name, reader: reader)
        guard !bundle.hasErrors else {
            throw APIError(
                .invalidPolicy, "\(document.name) has errors; nothing of it was applied", diagnostics: bundle.records)
        }
        return bundle
    }

    func lint(_ references: [PolicyReference]) -> [DiagnosticRecord] {
        let findings = engine.diagnostics().adding(lint(engine.input.policies.values))
        return findings.filter { references.contains($0.origin.policy) }.map(\.record)
    }

    private func record(_ policy: Policy, _ authors: [String: StoredAuthor]) -> PolicyRecord {
        let reference = policy.reference
        let origin = origin(of: policy)
        let author = origin == "cluster" ? cluster?.documents.unit(of: reference).flatMap { authors[$0] } : nil
        let selectors = policy.rules.map(\.subject) + policy.defaultDeny.map(\.subject)
        let endpoints = engine.input.workloads.values.filter { workload in
            selectors.contains { $0.concerns(workload) }
        }
        return PolicyRecord(
            kind: reference.kind, namespace: reference.namespace, name: reference.name,
            origin: origin, source: policy.source.text,
            audit: policy.isAudit, rules: policy.rules.count, endpoints: endpoints.map(\.name).sorted(),
            appliedBy: author?.name, appliedAt: author?.at,
            validUntil: policy.validUntil.map { Timestamp.text(seconds: $0) },
            isLapsed: engine.input.policies[reference] == nil ? true : nil)
    }

    private func origin(of policy: Policy) -> String {
        if applied.policies[policy.reference] == policy { return "api" }
        return cluster?[policy.reference] == policy ? "cluster" : "directory"
    }

    func find(_ text: String) throws(APIError) -> Policy {
        let matches = (Array(engine.input.policies.values) + lapsed).filter { policy in
            let reference = policy.reference
            return [reference.text, "\(reference.kind)/\(reference.name)", reference.name].contains(text)
        }
        guard let policy = matches.first(where: { $0.reference.text == text }) ?? matches.first else {
            throw APIError(.notFound, "no policy \"\(text)\": `bulkhead policy get` lists them")
        }
        guard matches.count == 1 || policy.reference.text == text else {
            let names = matches.map(\.reference.text).sorted().joined(separator: ", ")
            throw APIError(.badRequest, "\"\(text)\" may be \(names): say which")
        }
        return policy
    }
}

extension PolicyBundle {
    var records: [DiagnosticRecord] { diagnostics.map(DiagnosticRecord.init) }
}

extension RuleDiagnostic {
    /// A lint finding as the API shows it.
    var record: DiagnosticRecord { DiagnosticRecord(diagnostic) }
}
