// SPDX-License-Identifier: Apache-2.0

import ClusterSchema
import ClusterStore
import ControlAPI
import KernelDatapath
import LinuxHost
import PolicyModel

/// Policies that the whole fleet is to have: they go to the store, and come from there to every node, this one too.
extension AgentState {
    /// Where changes of policies belong; nil: on this host alone.
    func sharedStore(_ options: ChangeOptions) throws(APIError) -> (any FleetStore)? {
        guard !options.isLocal, configuration.fleet.isEnabled || fleet != nil else { return nil }
        guard let fleet else {
            let cause = problems["cluster"]?.message ?? "the agent is starting"
            throw APIError(.unavailable, "the fleet's store cannot be used: \(cause); nothing was changed")
        }
        guard options.confirmWithin == nil, !options.isForced else {
            throw APIError(
                .badRequest,
                "a fleet's policies are neither forced nor taken back by themselves: each node guards its own access; "
                    + "`--local` changes this host alone")
        }
        return fleet
    }

    /// Puts policies into the store.
    ///
    /// `patience`: so long it may take them to come into force here before that is reported.
    func share(
        _ bundle: PolicyBundle, in store: any FleetStore, _ options: ChangeOptions, patience: Duration = .seconds(10)
    ) async throws(APIError) -> PolicyChangeReport {
        let references = bundle.items.map(\.policy.reference)
        try checkDirectory(references)
        for reference in references { try checkIsNotLocal(reference) }
        var change = desiredChange()
        for item in bundle.items { change.policies[item.policy.reference] = lasting(item.policy) }
        var report = try tryOut(change, options, bundle.records)
        guard !options.isDryRun else { return report }
        var documents: [String: [UInt8]] = [:]
        for item in bundle.items {
            documents[item.policy.reference.storeName] = Array(AppliedPolicy(item).document.utf8)
        }
        report.storeRevision = try await write(options) { author throws(StoreError) in
            try await store.apply(documents: documents, author: author)
        }
        await settle(&report, patience) { documents.allSatisfy { cluster?.documents.holds($0.key, $0.value) == true } }
        report.diagnostics += lint(references)
        return report
    }

    /// Throws if the policy is not one of the store's.
    func withdraw(
        _ text: String, from store: any FleetStore, _ options: ChangeOptions
    ) async throws(APIError) -> PolicyChangeReport {
        let (reference, unit) = try sharedUnit(text)
        var change = desiredChange()
        change.policies[reference] = builtInPolicies[reference]
        var report = try tryOut(change, options, [])
        guard !options.isDryRun else { return report }
        report.storeRevision = try await write(options) { _ throws(StoreError) in
            try await store.delete(documents: [unit])
        }
        await settle(&report, .seconds(10)) { cluster?.documents.names.contains(unit) == false }
        return report
    }

    /// The store's unit that holds a policy, and nothing else.
    func sharedUnit(_ text: String) throws(APIError) -> (reference: PolicyReference, unit: String) {
        let policy = try find(text)
        let reference = policy.reference
        try checkIsNotLocal(reference)
        guard directory[reference] == nil, let unit = cluster?.documents.unit(of: reference) else {
            throw APIError(.refused, "\(reference.text) comes from \(policy.source.text): remove it there")
        }
        let others = cluster?.documents.references(in: unit).filter { $0 != reference } ?? []
        guard others.isEmpty else {
            throw APIError(
                .refused,
                "\(reference.text) stands in '\(unit)' of the store together with "
                    + "\(others.map(\.text).sorted().joined(separator: ", ")): no `policy apply` wrote that; use etcdctl"
            )
        }
        return (reference, unit)
    }

    /// What is said here wins here: a change of the fleet's would seem to do nothing.
    private func checkIsNotLocal(_ reference: PolicyReference) throws(APIError) {
        guard applied.policies[reference] != nil else { return }
        throw APIError(
            .refused,
            "\(reference.text) was applied on this host alone and wins here: `bulkhead policy delete --local "
                + "\(reference.text)` first, or change it with `--local`")
    }

    /// Whether the host takes it, and what it would change.
    private func tryOut(
        _ change: EngineChange, _ options: ChangeOptions, _ diagnostics: [DiagnosticRecord]
    ) throws(APIError) -> PolicyChangeReport {
        var trial = options
        trial.isDryRun = true
        return try self.change(change, trial, diagnostics)
    }

    private func write(
        _ options: ChangeOptions, _ body: (_ author: String) async throws(StoreError) -> Int64
    ) async throws(APIError) -> Int64 {
        do throws(StoreError) {
            return try await body("\(UserNames().text(of: options.userID))@\(node)")
        } catch {
            let fate =
                error.kind == .unavailable
                ? "all of it is in the store or nothing, see `bulkhead policy list`" : "nothing was changed"
            throw APIError(
                error.kind == .refused ? .refused : .unavailable, "the fleet's store did not take it: \(error); \(fate)"
            )
        }
    }

    /// Waits until the store's change came back and is in force here.
    private func settle(_ report: inout PolicyChangeReport, _ patience: Duration, _ isKnown: () -> Bool) async {
        await waitForChange(until: .now + patience) { isKnown() && unsettled.policies.isEmpty }
        report.inForce = isKnown() && unsettled.policies.isEmpty
        if !report.inForce {
            report.notice =
                "it is in the store since revision \(report.storeRevision ?? 0), but not in force on this host: see "
                + "`bulkhead status`"
        }
        report.generation = datapath.status().generation
    }
}

extension PolicyReference {
    /// In the store.
    fileprivate var storeName: String { "\(kind)/\(namespace)/\(name)" }
}
