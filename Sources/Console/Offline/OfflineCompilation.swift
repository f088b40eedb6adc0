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
    private let imagined: [ImaginedWorkload]
    /// Nodes that rules select and no document describes.
    private let nodes: [Policy]
    /// Of hosts whose labels differ: to each other, and to workloads, they are not the same.
    ///
    /// Empty: all have the same.
    private let hostNumbers: [LabelSet: NumericIdentity]
    /// Whom nobody imagined is.
    private let unimagined: [String]
    private var registry = RuleRegistry()

    /// Prepares for everything that will be compiled: each state is all policies that count together.
    ///
    /// `workloads`: none stands for those that the selectors of all policies name. `imaginesHosts`: false leaves those away
    /// that policies know by their labels alone.
    init(for states: [[Policy]], workloads: [LabelSet], imaginesHosts: Bool = true) throws {
        var allocator = IdentityAllocator()
        nodes = imaginesHosts ? ImaginedNodes.all(for: states) : []
        let states = states.map { [nodes] in $0 + nodes }
        let policies = states.flatMap(\.self)
        let imagined =
            (workloads.isEmpty ? ImaginedWorkloads.labels(for: policies) : workloads).map(
                ImaginedWorkload.init(labels:))
            + (imaginesHosts ? ImaginedHosts.all(for: states) : ImaginedHosts.known(to: policies))
        self.imagined = imagined
        hostNumbers = OfflineCompilation.hostNumbers(
            states.map { OfflineCompilation.hosts(imagined, $0).map(\.labels) })
        unimagined = Unimagined.texts(states, among: imagined, onlyHosts: !workloads.isEmpty || !imaginesHosts)
        // So have those who are somebody else in another state.
        for state in states {
            for (name, endpoint) in OfflineCompilation.endpoints(imagined, state) {
                try allocator.setEndpoint(name, endpoint)
            }
        }
        // All prefixes have their numbers from here: a number stands for the same in both states of a difference.
        prefixes = policies.flatMap { $0.prefixes.sorted() }
        for use in prefixes { try allocator.usePrefix(use.prefix, includesWorkloads: use.includesWorkloads) }
        names = policies.flatMap { $0.names.sorted() }
        for name in names { try allocator.useName(name) }
        _ = try allocator.settle()
        self.allocator = allocator
    }

    /// Everybody with what a state gives, by a name for each that they may be; also what passes through hosts.
    private static func endpoints(
        _ imagined: [ImaginedWorkload], _ policies: [Policy]
    ) -> [(name: String, endpoint: IdentityAllocator.Endpoint)] {
        var found: [(name: String, endpoint: IdentityAllocator.Endpoint)] = []
        let stages = policies.stages
        for one in imagined {
            let belongings = one.belongings(by: policies)
            func add(_ place: String, _ labels: LabelSet, _ ports: NamedPorts) {
                let numbers = ports.numbers.map { "\($0.key.proto)/\($0.key.name)=\($0.value.sorted())" }.sorted()
                found.append(
                    (
                        "\(place) \(one.name) \(labels) \(numbers)",
                        .init(labels: labels, addresses: [], namedPorts: ports, isHost: one.isHost)
                    ))
            }
            add(one.isService ? "service" : "at", belongings.labels, belongings.ports)
            for stage in HostStage.allCases where one.isHost && !one.isService && stages.contains(stage) {
                // Behind the host, whose labels are those of its identity.
                add("stage", LabelSet(belongings.labels.labels + [stage.marker]), NamedPorts())
            }
        }
        return found
    }

    /// Hosts with what a state gives, but not their services.
    private static func hosts(_ imagined: [ImaginedWorkload], _ policies: [Policy]) -> [EndpointGrants.Belongings] {
        imagined.filter { $0.isHost && !$0.isService }.map { $0.belongings(by: policies) }
    }

    /// Numbers outside those of workloads, prefixes and names; none where the one reserved number will do in every state.
    private static func hostNumbers(_ states: [[LabelSet]]) -> [LabelSet: NumericIdentity] {
        guard states.contains(where: { Set($0).count > 1 }) else { return [:] }
        let all = Set(states.joined()).sorted { $0.description < $1.description }
        return Dictionary(
            uniqueKeysWithValues: all.enumerated().map {
                ($1, NumericIdentity(rawValue: NumericIdentity.localRange.upperBound + 1 + UInt32($0)))
            })
    }

    /// Peers with each host as one of its own.
    private func peers(_ records: some Collection<ResolvedIdentity>, _ policies: [Policy]) -> [ResolvedIdentity] {
        guard !hostNumbers.isEmpty else { return Array(records) }
        let hosts = OfflineCompilation.hosts(imagined, policies)
        return records.filter { $0.identity != .host }
            + hostNumbers.compactMap { labels, number in
                let same = hosts.filter { $0.labels == labels }
                guard !same.isEmpty else { return nil }
                return ResolvedIdentity(
                    identity: number, labels: labels, isWorkload: true,
                    namedPorts: same.reduce(NamedPorts()) { $0.union($1.ports) })
            }
    }

    /// Everybody with what a state gives.
    private static func sides(
        _ imagined: [ImaginedWorkload], _ policies: [Policy]
    ) -> [PolicyCompiler.ExplainedSide] {
        imagined.map { one in
            let belongings = one.belongings(by: policies)
            var side = PolicyCompiler.ExplainedSide(
                labels: belongings.labels, namedPorts: belongings.ports, isHost: one.isHost)
            side.isService = one.isService
            if one.isService { side.labelsForOthers = belongings.labels.withoutProcess }
            return side
        }
    }

    /// Everybody before and after a change.
    private func parties(from old: [Policy], to new: [Policy]) -> [VerdictComparison.Party] {
        let (before, after) = (
            OfflineCompilation.sides(imagined, old), OfflineCompilation.sides(imagined, new)
        )
        return imagined.indices.map { .init(name: imagined[$0].name, side: before[$0], after: after[$0]) }
            + ImaginedNodes.parties(nodes)
    }

    mutating func compile(_ policies: [Policy]) throws -> CompileReport {
        let (state, input) = try run(policies)
        var report = CompileReport(
            lines: state.lines(), legend: lines(MapLegend(state), input, policies),
            diagnostics: PolicyLint.diagnostics(policies).map { DiagnosticRecord($0.diagnostic) })
        report.unimagined = unimagined.isEmpty ? nil : unimagined
        return report
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
        // What only the old policies name or make of somebody has its number from them.
        var input = newInput
        let slots = Set(input.subjects.map(\.slot))
        input.subjects += oldInput.subjects.filter { !slots.contains($0.slot) }
        let known = Set(input.peers.map(\.identity))
        input.peers += oldInput.peers.filter { !known.contains($0.identity) }
        var report = DiffReport(
            lines: changes.lines(from: before), legend: lines(MapLegend(changes), input, old + new),
            diagnostics: PolicyLint.diagnostics(new).map { DiagnosticRecord($0.diagnostic) })
        report.unimagined = unimagined.isEmpty ? nil : unimagined
        let comparison = VerdictComparison(
            before: old + nodes, after: new + nodes, parties: parties(from: old, to: new), hostsAreApart: true
        ).run(limit: limit)
        report.plan = PlanReport(
            changes: comparison.changes.map { change in
                PlanReport.Change(
                    from: change.from, to: change.to, traffic: change.traffic, before: change.before.rawValue,
                    after: change.after.rawValue, reason: change.reason, source: change.cause?.source?.text,
                    stage: change.passage?.stage.rawValue, direction: change.passage.map { "\($0.direction)" })
            }, total: comparison.total, unjudgedPairs: comparison.unjudgedPairs)
        if !report.saysChange {
            let differing = PolicyMeaning.differing(old, new).map(\.text)
            report.untold = differing.isEmpty ? nil : differing
        }
        return report
    }

    private mutating func run(_ stated: [Policy]) throws -> (MapState, CompileInput) {
        let policies = stated + nodes
        var allocator = self.allocator
        let meant = OfflineCompilation.endpoints(imagined, policies)
        for (name, endpoint) in meant { try allocator.setEndpoint(name, endpoint) }
        let hosts = OfflineCompilation.hosts(imagined, policies)
        allocator.setHost(labels: hosts.flatMap(\.labels.labels), addresses: [])
        for name in Set(allocator.endpoints.keys).subtracting(meant.map(\.name)) { allocator.removeEndpoint(name) }
        for use in policies.flatMap(\.prefixes) {
            try allocator.usePrefix(use.prefix, includesWorkloads: use.includesWorkloads)
        }
        for group in policies.compactMap(\.prefixGroup) { allocator.useGroup(group) }
        for use in prefixes { allocator.releasePrefix(use.prefix, includesWorkloads: use.includesWorkloads) }
        for name in policies.flatMap({ $0.names.sorted() }) { try allocator.useName(name) }
        for name in names { allocator.releaseName(name) }
        _ = try allocator.settle()
        let input = CompileInput(
            subjects: allocator.subjects.map { slot, key in
                CompileSubject(
                    slot: slot, identity: .unmanaged, labels: key.labels, isHost: key.isHost,
                    namedPorts: key.namedPorts)
            }, peers: peers(allocator.records.values, policies), policies: policies)
        var state = RuleCompiler.compile(input, registry: &registry).state
        state.ipcache = allocator.mappings
        return (state, input)
    }

    private func lines(_ legend: MapLegend, _ input: CompileInput, _ policies: [Policy]) -> [String] {
        legend.lines(subjects: input.subjects, identities: input.peers, names: NameWording(policies))
    }
}
