// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel
import Testing

@testable import PolicyCompiler

@Suite struct TierRanksTests {
    @Test(arguments: 0..<20) func `ranks follow order and name after any changes`(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        var ranks = TierRanks()
        var present: [PolicyReference: Policy] = [:]
        for _ in 0..<150 {
            var changes: [PolicyReference: Policy?] = [:]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let policy = policy(Int.random(in: 0..<60, using: &random), &random)
                changes[policy.reference] = .some(Int.random(in: 0..<4, using: &random) == 0 ? nil : policy)
            }
            let before = all(ranks, present)
            let moved = ranks.replace(changes.map { ($0.key, $0.value) })
            if Int.random(in: 0..<5, using: &random) == 0 {
                _ = ranks.revert()
                try #require(all(ranks, present) == before)
                continue
            }
            ranks.keep()
            for (reference, policy) in changes { present[reference] = policy }
            let after = all(ranks, present)
            let others = present.keys.filter { changes[$0] == nil && before[$0] != after[$0] }
            #expect(moved == others.sorted())
            try expectOrder(ranks, present)
        }
    }

    @Test func `whoever comes moves few, wherever he comes`() {
        var counts: [String: Int] = [:]
        for (place, name) in [
            ("first", { 5000 - $0 }), ("last", { 5000 + $0 }), ("between", { _ in 2500 }),
        ] as [(String, (Int) -> Int)] {
            let many = (0..<3000).map { policy(name: "m\(100_000 + $0)", ruleCount: 5) }
            var ranks = TierRanks(place == "between" ? many + [policy(name: "z", ruleCount: 1)] : many)
            for step in 1...1000 {
                let text =
                    place == "between" ? "m101500-\(100_000 + step)" : "\(place == "first" ? "a" : "x")\(name(step))"
                counts[place, default: 0] +=
                    ranks.replace([policy(name: text, ruleCount: 3)].map { ($0.reference, $0) }).count
            }
        }
        for (place, count) in counts { #expect(count <= 20_000, "\(place): \(count) moved by 1000") }
    }

    @Test func `rules beyond the ranks of a priority share the last one, until there is room again`() {
        let policies = (0..<9).map { policy(name: "p\($0)", ruleCount: 2000, order: .priority(3), tier: .admin) }
        var ranks = TierRanks(policies)
        let last = UInt32(4 * TierRanks.bandWidth - 1)
        #expect(ranks.rank(of: 1999, in: policies[8]) == last && ranks.rank(of: 1000, in: policies[8]) == last)
        #expect(ranks.rank(of: 0, in: policies[7]) < ranks.rank(of: 0, in: policies[8]))
        let moved = ranks.replace([(policies[0].reference, nil)])
        #expect(!moved.isEmpty && ranks.rank(of: 1999, in: policies[8]) > ranks.rank(of: 1998, in: policies[8]))
    }

    @Test func `a policy with more rules stays where it is if there is room`() {
        let policies = (0..<10).map { policy(name: "p\($0)", ruleCount: 2) }
        var ranks = TierRanks(policies)
        let longer = policy(name: "p4", ruleCount: 9)
        let before = ranks.rank(of: 0, in: policies[4])
        #expect(ranks.replace([(longer.reference, longer)]).isEmpty)
        #expect(ranks.rank(of: 0, in: longer) == before)
    }

    // MARK: -

    private func all(_ ranks: TierRanks, _ policies: [PolicyReference: Policy]) -> [PolicyReference: UInt32] {
        policies.mapValues { ranks.rank(of: 0, in: $0) }
    }

    private func expectOrder(_ ranks: TierRanks, _ policies: [PolicyReference: Policy]) throws {
        func order(_ policy: Policy) -> Double {
            guard case .ordered(let order) = policy.order else { return 1000.25 }
            return order.flatMap { $0.isNaN ? nil : $0 } ?? .infinity
        }
        for tier in [PolicyTier.normal, .own("a")] {
            let sorted = policies.values.filter { $0.tier == tier && !$0.rules.isEmpty }.sorted {
                (order($0), $0.reference.name, $0.reference.kind) < (order($1), $1.reference.name, $1.reference.kind)
            }
            for (first, second) in zip(sorted, sorted.dropFirst()) {
                let (last, next) = (ranks.rank(of: first.rules.count - 1, in: first), ranks.rank(of: 0, in: second))
                try #require(
                    last < next || (first.order == .together && second.order == .together && last == next),
                    "\(first.reference.text) \(last), \(second.reference.text) \(next)")
            }
            for policy in sorted where policy.order != .together && policy.rules.count > 1 {
                try #require(ranks.rank(of: 0, in: policy) + 1 == ranks.rank(of: 1, in: policy))
            }
        }
    }

    private func policy(_ number: Int, _ random: inout SplitMix64) -> Policy {
        let orders: [PolicyOrder] = [
            .together, .ordered(nil), .ordered(nil), .ordered(7), .ordered(7), .ordered(1000), .ordered(1000.5),
            .ordered(-3), .ordered(.nan),
        ]
        return policy(
            name: "p\(number / 2)", kind: number % 2 == 0 ? "A" : "B",
            ruleCount: Int.random(in: 0...200, using: &random),
            order: orders[(number * 7 + Int.random(in: 0...1, using: &random)) % 9],
            tier: Int.random(in: 0..<3, using: &random) == 0 ? .own("a") : .normal)
    }

    private func policy(
        name: String, kind: String = "A", ruleCount: Int, order: PolicyOrder = .ordered(nil),
        tier: PolicyTier = .normal
    ) -> Policy {
        let reference = PolicyReference(kind: kind, namespace: "", name: name)
        let source = SourceLocation(file: "f", line: 1, column: 1)
        let rule = PolicyRule(
            origin: RuleOrigin(policy: reference, section: "ingress", index: 0, source: source),
            subject: .endpoints(.app("a")), direction: .ingress)
        return Policy(
            reference: reference, source: source, rules: Array(repeating: rule, count: ruleCount), defaultDeny: [],
            tier: tier, order: order)
    }
}
