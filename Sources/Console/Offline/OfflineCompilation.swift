// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel

/// Compiles policies for imagined workloads, by the agent's own compiler.
///
/// Numbers are this compilation's own: the legend says what they stand for.
struct OfflineCompilation {
    private let allocator: IdentityAllocator
    private let prefixes: [PolicyPrefix]
    private let names: [NameSelector]
    private let parties: [VerdictComparison.Party]
    private var registry = RuleRegistry()

    /// Prepares for all policies that will be compiled.
    ///
    /// `workloads`: none stands for those that the selectors of all policies name.
    init(for policies: [Policy], workloads: [LabelSet]) throws {
        var allocator = IdentityAllocator()
        let imagined = workloads.isEmpty ? ImaginedWorkloads.labels(for: policies) : workloads
        for labels in imagined {
            try allocator.setEndpoint("\(labels)", .init(labels: labels, addresses: []))
        }
        var parties = imagined.map {
            VerdictComparison.Party(name: "\($0)", side: PolicyCompiler.ExplainedSide(labels: $0))
        }
        if ImaginedWorkloads.namesHost(policies) {
            let labels = LabelSet([Label(source: LabelSource.reserved, key: "host")])
            parties.append(.init(name: "host", side: .host(nil, isEndpoint: true)))
            try allocator.setEndpoint("host", .init(labels: labels, addresses: [], isHost: true))
        }
        // All prefixes have their numbers from here: a number stands for the same in both states of a difference.
        prefixes = policies.flatMap(\.prefixes)
        for use in prefixes { try allocator.usePrefix(use.prefix, includesWorkloads: use.includesWorkloads) }
        names = policies.flatMap(\.names)
        for name in names { try allocator.useName(name) }
        _ = try allocator.settle()
        self.allocator = allocator
        self.parties = parties
    }

    mutating func compile(_ policies: [Policy]) throws -> CompileReport {
        let (state, input) = try run(policies)
        return CompileReport(
            lines: state.lines(), legend: lines(MapLegend(state), input),
            diagnostics: PolicyLint.diagnostics(policies).map { DiagnosticRecord($0.diagnostic) })
    }

    /// What the compiler says of the rules and the workloads together.
    mutating func diagnostics(_ policies: [Policy]) throws -> [RuleDiagnostic] {
        let (_, input) = try run(policies)
        return RuleCompiler.compile(input, registry: &registry).diagnostics
    }

    /// What changes from one set of policies to another.
    ///
    /// `limit`: changed verdicts to name.
    mutating func diff(from old: [Policy], to new: [Policy], limit: Int = PlanReport.limit) throws -> DiffReport {
        let (before, oldInput) = try run(old)
        let (after, newInput) = try run(new)
        let changes = before.changes(to: after)
        // A prefix that only the old policies name has its number from them.
        var input = newInput
        let known = Set(input.peers.map(\.identity))
        input.peers += oldInput.peers.filter { !known.contains($0.identity) }
        var report = DiffReport(
            lines: changes.lines(from: before), legend: lines(MapLegend(changes), input),
            diagnostics: PolicyLint.diagnostics(new).map { DiagnosticRecord($0.diagnostic) })
        let comparison = VerdictComparison(before: old, after: new, parties: parties).run(limit: limit)
        report.plan = PlanReport(
            changes: comparison.changes.map { change in
                PlanReport.Change(
                    from: change.from, to: change.to, traffic: change.traffic, before: change.before.rawValue,
                    after: change.after.rawValue, reason: change.reason, source: change.cause?.source?.text,
                    stage: change.passage?.stage.rawValue, direction: change.passage.map { "\($0.direction)" })
            }, total: comparison.total, unjudgedPairs: comparison.unjudgedPairs)
        return report
    }

    private mutating func run(_ policies: [Policy]) throws -> (MapState, CompileInput) {
        var allocator = self.allocator
        for use in policies.flatMap(\.prefixes) {
            try allocator.usePrefix(use.prefix, includesWorkloads: use.includesWorkloads)
        }
        for group in policies.compactMap(\.prefixGroup) { allocator.useGroup(group) }
        for use in prefixes { allocator.releasePrefix(use.prefix, includesWorkloads: use.includesWorkloads) }
        for name in policies.flatMap(\.names) { try allocator.useName(name) }
        for name in names { allocator.releaseName(name) }
        _ = try allocator.settle()
        let input = CompileInput(
            subjects: allocator.subjects.map { slot, key in
                CompileSubject(
                    slot: slot, identity: .unmanaged, labels: key.labels, isHost: key.isHost,
                    namedPorts: key.namedPorts)
            }, peers: Array(allocator.records.values), policies: policies)
        var state = RuleCompiler.compile(input, registry: &registry).state
        state.ipcache = allocator.mappings
        return (state, input)
    }

    private func lines(_ legend: MapLegend, _ input: CompileInput) -> [String] {
        legend.lines(subjects: input.subjects, identities: input.peers)
    }
}
