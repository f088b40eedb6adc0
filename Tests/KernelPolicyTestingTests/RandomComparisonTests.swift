// SPDX-License-Identifier: Apache-2.0

import KernelPolicyTesting
import PolicyModel
import PolicyReading
import PolicyTesting
import Testing

/// Random policies and clusters: what the rules mean, the model says and the kernel does.
@Suite(.serialized) struct RandomComparisonTests {
    /// Clusters of one run and probes of each: 20 000 probes over all seeds.
    private static let clusters = 50
    private static let probes = 50

    private let runner: PolicyTestRunner

    init() throws {
        runner = PolicyTestRunner(engines: [ModelEngine(), try KernelEngine(), ExplainerEngine()]) { _, _ in [] }
    }

    /// The outcomes; nil if the document is no valid test.
    private func outcomes(of document: CaseNode) throws -> [ProbeOutcome]? {
        let set = PolicyTestReader().read(bytes: Array(document.json.utf8), file: "random.json")
        guard !set.hasErrors, let test = set.tests.first else { return nil }
        return try runner.run(test).outcomes
    }

    private func disagrees(_ document: CaseNode) -> Bool {
        (try? outcomes(of: document))?.contains { $0.dissent != nil } ?? false
    }

    @Test(arguments: 0..<8) func `rules, model and kernel agree about random policies`(seed: Int) throws {
        var verdicts: [String: Int] = [:]
        var generator = RandomPolicyTest(seed: UInt64(seed) &* 7919 &+ 1)
        for _ in 0..<Self.clusters {
            let document = generator.document(probes: Self.probes)
            let outcomes = try #require(try outcomes(of: document), "not a valid test: \(document.json)")
            #expect(outcomes.count == Self.probes)
            for outcome in outcomes { verdicts[outcome.verdict.rawValue, default: 0] += 1 }
            guard let different = outcomes.first(where: { $0.dissent != nil }) else { continue }
            let least = document.shrunk(while: disagrees)
            let failure = try self.outcomes(of: least)?.compactMap(\.failure).first ?? different.failure ?? ""
            Issue.record("seed \(seed): \(failure); the smallest such test: \(least.json)")
            return
        }
        #expect(
            verdicts.count == 3 && verdicts.values.allSatisfy { $0 >= Self.clusters },
            "every verdict occurs often: \(verdicts)")
    }

    @Test func `the shrinker leaves what makes a case fail and nothing else`() {
        var generator = RandomPolicyTest(seed: 3)
        let document = generator.document(probes: 30)
        let least = document.shrunk { $0.json.contains("\"w1\"") && $0.json.contains("\"from\"") }
        #expect(least.json.count < 80 && document.json.count > 3000, "\(least.json)")
        #expect(least.json.contains("\"workloads\": [{\"name\": \"w1\"}]"))
    }
}
