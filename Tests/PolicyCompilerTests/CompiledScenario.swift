// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import TableEncoding

/// A scenario brought into tables the way the agent does it, and kept there through changes.
struct CompiledScenario {
    var allocator = IdentityAllocator()
    let compiler: RuleCompiler
    let shadow = ShadowTables(capacity: .init(policyBuckets: 4096, policyEntries: 16384, ipcacheChunks: 3))
    /// The sum of all changes so far.
    var state = MapState()
    private(set) var input: CompileInput?
    private var policies: [Policy] = []
    private var parties: Set<String> = []

    init(allowHost: Bool) { compiler = RuleCompiler(options: CompileOptions(allowHost: allowHost)) }

    /// Brings everything to the state of a scenario.
    mutating func update(to scenario: RandomScenario) throws {
        for policy in scenario.policies {
            for prefix in policy.prefixes {
                try allocator.usePrefix(prefix.prefix, includesWorkloads: prefix.includesWorkloads)
            }
        }
        for policy in scenario.policies {
            guard let group = policy.prefixGroup else { continue }
            allocator.useGroup(group)
        }
        for policy in policies {
            if let group = policy.prefixGroup {
                allocator.releaseGroup(group)
            }
            for prefix in policy.prefixes {
                allocator.releasePrefix(prefix.prefix, includesWorkloads: prefix.includesWorkloads)
            }
        }
        for name in parties.subtracting(scenario.parties.map(\.name)) { allocator.removeEndpoint(name) }
        for party in scenario.parties {
            try allocator.setEndpoint(
                party.name,
                .init(
                    labels: party.labels, addresses: [party.address], namedPorts: party.ports, isHost: party.isHost))
        }
        allocator.setHost(addresses: scenario.parties.filter(\.isHost).map(\.address))
        parties = Set(scenario.parties.map(\.name))
        policies = scenario.policies
        let identities = try allocator.settle()
        let input = CompileInput(
            subjects: allocator.subjects.map { slot, key in
                CompileSubject(
                    slot: slot, identity: .any, labels: key.labels, isHost: key.isHost, namedPorts: key.namedPorts)
            },
            peers: Array(allocator.records.values), policies: policies, options: compiler.options)
        compiler.update(to: input)
        self.input = input
        var changes = compiler.takeChanges()
        changes.mappingRemovals = identities.mappingRemovals
        changes.mappingSettings = identities.mappingSettings.map { .init(prefix: $0.key, identity: $0.value) }
        state.apply(changes)
        try shadow.apply(changes)
    }

    func decide(_ subject: Party, _ peer: Party, _ direction: Direction, _ proto: IPProtocol, _ port: UInt16?)
        -> TableDecision?
    {
        allocator.assignments[subject.name].flatMap {
            shadow.decide(
                subject: $0.subject, peer: peer.address, direction: direction, proto: proto, port: port)
        }
    }
}
