// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import PolicyCompiler
import PolicyModel

extension AgentState {
    func planPolicies(_ change: PlannedChange, limit: Int) async throws(APIError) -> PlanReport {
        try await planPolicies(change, limit: limit, findings: nil)
    }

    /// `findings`: what is known to be said of the documents already, the reader's findings among it.
    func planPolicies(
        _ change: PlannedChange, limit: Int, findings: [DiagnosticRecord]?
    ) async throws(APIError) -> PlanReport {
        var delta = desiredChange().policies
        var diagnostics: [DiagnosticRecord] = []
        var refusal: String?
        var defined: [PolicyReference] = []
        switch change {
        case .apply(let documents):
            let bundle = try read(documents)
            for item in bundle.items { delta[item.policy.reference] = lasting(item.policy) }
            defined = bundle.items.map(\.policy.reference)
            do throws(APIError) {
                if let findings { diagnostics = findings } else { diagnostics = try compileAside(bundle).diagnostics }
            } catch {
                (diagnostics, refusal) = (bundle.records, error.message)
            }
        case .delete(let reference):
            if fleet != nil, applied.policies[try find(reference).reference] == nil {
                let shared = try sharedUnit(reference).reference
                delta[shared] = builtInPolicies[shared]
            } else {
                add(try deletion(of: reference), to: &delta)
            }
        case .rollBack(let revision):
            let edits = try self.edits(backTo: revision)
            add(edits, to: &delta)
            defined = edits.filter { $0.after != nil }.map(\.reference)
        }
        do {
            try checkDirectory(defined)
            try checkHostDocuments(delta)
            try lockoutGuard.check(delta)
        } catch {
            refusal = (error as? APIError)?.message ?? "\(error)"
        }
        var names = PolicyChangeReport(inForce: false)
        name(delta, in: &names)
        var report = await plan(delta, limit: limit)
        report.added = names.added
        report.changed = names.changed
        report.removed = names.removed
        report.refusal = refusal
        report.diagnostics = diagnostics
        return report
    }

    /// Whose traffic gets another verdict, that with workloads of other hosts included; the agent goes on while that is worked out.
    func plan(_ delta: PolicyDelta, limit: Int) async -> PlanReport {
        let before = engine.input.policies
        var after = before
        after.apply(delta)
        let inputs = PlanInputs(
            before: Array(before.values), after: Array(after.values),
            parties: planParties(after: EngineChange(policies: delta)),
            remotes: remoteParties(after: EngineChange(policies: delta)),
            changed: delta.references.flatMap { [before[$0], after[$0]].compactMap(\.self) },
            options: CompileOptions(allowHost: configuration.allowsHostAccess))
        return await inputs.compare(limit: limit)
    }

    /// The workloads and the host, with what a change of documents gives them.
    func planParties(after ungranted: EngineChange = EngineChange()) -> [VerdictComparison.Party] {
        let change = engine.granting(ungranted)
        let after = change.workloads ?? engine.input.workloads
        let workloads = engine.input.workloads.values.sorted { $0.key < $1.key }
        let hostLabels = engine.hostLabels(after: change)
        let devices = hostDevices
        let parties = workloads.map { workload in
            var side = side(of: workload, hostDevices: devices)
            side.address = workload.isService ? hostAddresses.min() : workload.addresses.min()
            let name = workload.isHost && !workload.isService ? "host" : workload.fullName
            guard let changed = after[workload.key], isGivenOther(changed, than: workload, hostLabels) else {
                return VerdictComparison.Party(name: name, side: side)
            }
            return VerdictComparison.Party(
                name: name, side: side, after: self.side(side, of: changed, among: after.values, hostLabels))
        }
        guard !workloads.contains(where: { $0.isHost && !$0.isService }) else { return parties }
        let host = PolicyCompiler.ExplainedSide.host(
            hostAddresses.min(), labels: engine.hostLabels, isEndpoint: false)
        let changed = PolicyCompiler.ExplainedSide.host(hostAddresses.min(), labels: hostLabels, isEndpoint: false)
        return parties + [VerdictComparison.Party(name: "host", side: host, after: changed)]
    }

    private func isGivenOther(_ changed: Workload, than workload: Workload, _ hostLabels: [Label]) -> Bool {
        changed.labels != workload.labels || changed.namedPorts != workload.namedPorts
            || workload.isService && hostLabels != engine.hostLabels
    }

    /// A side with what a workload has after a change; port names are those of all with its labels.
    private func side(
        _ before: PolicyCompiler.ExplainedSide, of changed: Workload, among all: some Sequence<Workload>,
        _ hostLabels: [Label]
    ) -> PolicyCompiler.ExplainedSide {
        var side = before
        side.labels = changed.labels
        side.namedPorts = changed.namedPorts
        side.sharedPorts = all.filter { $0.labels == changed.labels }.reduce(changed.namedPorts) {
            $0.union($1.namedPorts)
        }
        if changed.isService {
            side.labelsForOthers = LabelSet(hostLabels + [Label(source: LabelSource.reserved, key: "host")])
        }
        return side
    }
}

/// What a comparison needs, taken out of the agent's state.
private struct PlanInputs: Sendable {
    var before: [Policy]
    var after: [Policy]
    var parties: [VerdictComparison.Party]
    var remotes: RemoteParties
    /// Those that the change names, before and after.
    var changed: [Policy]
    var options: CompileOptions

    /// Nobody waits for it but who asked.
    @concurrent func compare(limit: Int) async -> PlanReport {
        let comparison = VerdictComparison(
            before: before, after: after, parties: parties + remotes.parties(changed + before), options: options)
        return PlanReport(comparison.run(limit: limit))
    }
}

extension PlanReport {
    fileprivate init(_ result: VerdictComparison.Result) {
        self.init(
            changes: result.changes.map { change in
                Change(
                    from: change.from, to: change.to, traffic: change.traffic, before: change.before.rawValue,
                    after: change.after.rawValue, reason: change.reason, source: change.cause?.source?.text,
                    stage: change.passage?.stage.rawValue, direction: change.passage.map { "\($0.direction)" })
            }, total: result.total, unjudgedPairs: result.unjudgedPairs)
    }
}

extension Workload {
    /// With its namespace, if it has one.
    var fullName: String {
        guard let namespace = labels.namespace, !name.hasPrefix(namespace + "/") else { return name }
        return "\(namespace)/\(name)"
    }
}
