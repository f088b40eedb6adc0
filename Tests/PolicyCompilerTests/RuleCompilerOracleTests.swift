// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyOracle
import TableEncoding
import Testing

/// Policies compiled into tables and looked up there, against the plain meaning of the rules.
@Suite struct RuleCompilerOracleTests {
    @Test(arguments: 0..<12)
    func `tables say what the rules mean`(_ batch: Int) throws {
        for seed in 0..<10 { try check(RandomScenario(seed: UInt64(batch * 1000 + seed))) }
    }

    @Test func `all tiers and verdicts occur`() throws {
        var seen: Set<String> = []
        for seed in 0..<300 {
            let scenario = RandomScenario(seed: UInt64(seed))
            var compiled = CompiledScenario(allowHost: scenario.allowHost)
            try compiled.update(to: scenario)
            for subject in scenario.parties {
                for peer in scenario.outsiders {
                    let decision = try #require(compiled.decide(subject, peer, .ingress, .tcp, 80))
                    let passed = decision.passedBy.isEmpty ? "" : " passed"
                    let tier = decision.stage.flatMap(TierLine(of: scenario.policies).tier)
                    seen.insert("\(tier?.name ?? "none") \(decision.verdict)\(passed)")
                }
            }
        }
        let expected = ["allow", "deny", "audit"].flatMap { ["admin \($0)", "default \($0)", "baseline \($0)"] }
        let passed = ["default allow passed", "default deny passed", "baseline deny passed", "none allow passed"]
        #expect(seen.isSuperset(of: expected + passed + ["none allow"]), "\(seen.sorted())")
    }

    @Test(arguments: 0..<6)
    func `after any changes the tables equal those compiled from nothing`(_ batch: Int) throws {
        for seed in 0..<2 {
            var scenario = RandomScenario(seed: UInt64(90_000 + batch * 100 + seed))
            var compiled = CompiledScenario(allowHost: scenario.allowHost)
            try compiled.update(to: scenario)
            for step in 0..<6 {
                change(&scenario, step, RandomScenario(seed: UInt64(batch * 7919 + seed * 131 + step)))
                try compiled.update(to: scenario)
                #expect(compiled.state.policy == compiled.compiler.mapState().policy)
                #expect(compiled.state.subjects == compiled.compiler.mapState().subjects)
                #expect(compiled.state.rules == compiled.compiler.mapState().rules)
                #expect(compiled.state.ipcache == compiled.allocator.mappings)
                var registry = compiled.compiler.registry
                let fresh = RuleCompiler.compile(try #require(compiled.input), registry: &registry).state
                #expect(compiled.state.withDenseRanks().policy == fresh.withDenseRanks().policy)
                #expect(compiled.state.subjects == fresh.subjects)
                try expectAgreement(scenario, compiled)
            }
        }
    }

    private func change(_ scenario: inout RandomScenario, _ step: Int, _ other: RandomScenario) {
        switch Int.random(in: 0..<5, using: &scenario.random) {
        case 0: scenario.policies = other.policies
        case 1: if scenario.policies.count > 1 { scenario.policies.removeLast() }
        case 2: if scenario.policies[0].isPartOfTier { scenario.policies[0] = scenario.policy(0) }
        case 3:
            let new = other.parties.filter { party in
                !party.isHost
                    && !(scenario.parties + scenario.outsiders).contains {
                        $0.name != party.name && $0.address == party.address
                    }
            }
            scenario.parties = scenario.parties.filter(\.isHost) + new
        default: if scenario.parties.count > 2 { scenario.parties.removeLast() }
        }
    }

    private func check(_ scenario: RandomScenario) throws {
        var compiled = CompiledScenario(allowHost: scenario.allowHost)
        try compiled.update(to: scenario)
        try expectAgreement(scenario, compiled)
    }

    private func expectAgreement(_ scenario: RandomScenario, _ compiled: CompiledScenario) throws {
        var portsByLabels: [LabelSet: NamedPorts] = [:]
        for party in scenario.parties {
            portsByLabels[party.labels] = (portsByLabels[party.labels] ?? NamedPorts()).union(party.ports)
        }
        let oracle = ReferenceEvaluator(
            policies: scenario.policies, allowHost: scenario.allowHost, portsByLabels: portsByLabels)
        let explainer = Explainer(
            policies: scenario.policies, options: CompileOptions(allowHost: scenario.allowHost))
        let names = compiled.state.rules
        for subject in scenario.parties {
            for peer in scenario.parties + scenario.outsiders where peer.address != subject.address {
                for direction in Direction.allCases {
                    for (proto, port) in RandomScenario.probes {
                        let expected = oracle.decide(subject: subject, peer: peer, direction, proto, port)
                        let decision = try #require(compiled.decide(subject, peer, direction, proto, port))
                        let cause = names[decision.rule]
                        let explained = explainer.explain(
                            at: side(subject, subject.ports),
                            peer: side(peer, portsByLabels[peer.labels] ?? NamedPorts()), direction: direction,
                            proto: proto, port: port)
                        guard decision.verdict.rawValue == expected.verdict.rawValue,
                            isPossible(cause, expected.causes),
                            explained.verdict.rawValue == decision.verdict.rawValue, explained.cause == cause,
                            explained.tier == decision.stage.flatMap(TierLine(of: scenario.policies).tier),
                            explained.passedBy.map(RuleDescription.rule) == decision.passedBy.map({ names[$0] })
                        else {
                            Issue.record(
                                """
                                \(subject.name) \(direction) \(peer.name) \(proto)/\(port.map(String.init) ?? "-"): \
                                expected \(expected), tables \(decision.verdict) \(cause?.text ?? "-"), \
                                explained \(explained.verdict) \(explained.cause?.text ?? "-")
                                """)
                            return
                        }
                    }
                }
            }
        }
    }

    private func isPossible(_ cause: RuleDescription?, _ causes: [RuleOrigin]) -> Bool {
        guard case .rule(let origin)? = cause else { return causes.isEmpty }
        return causes.contains(origin)
    }

    private func side(_ party: Party, _ ports: NamedPorts) -> ExplainedSide {
        ExplainedSide(
            labels: party.labels, address: party.address, namedPorts: ports, isHost: party.isHost,
            isEndpoint: party.isWorkload, isWorkload: party.isWorkload)
    }
}
