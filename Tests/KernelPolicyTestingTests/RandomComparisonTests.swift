// SPDX-License-Identifier: Apache-2.0

import KernelPolicyTesting
import PolicyModel
import PolicyOracle
import PolicyReading
import PolicyTesting
import Testing

/// Random policies and clusters: what the documents mean, what the rules mean, what the model says, what the kernel does.
@Suite(.serialized) struct RandomComparisonTests {
    /// Clusters of one run and probes of each: 24 000 probes over all seeds.
    private static let clusters = 60
    private static let probes = 50

    @Test(arguments: 0..<8) func `documents, rules, model and kernel agree about random policies`(seed: Int) throws {
        let comparison = PolicyComparison(engines: [ModelEngine(), try KernelEngine(), ExplainerEngine()])
        var verdicts: [String: Int] = [:]
        var generator = RandomPolicyTest(seed: UInt64(seed) &* 7919 &+ 1)
        for _ in 0..<Self.clusters {
            let document = generator.document(probes: Self.probes)
            let result = try comparison.result(of: document)
            verdicts.merge(result.verdicts, uniquingKeysWith: +)
            guard let difference = result.difference else { continue }
            let least = comparison.smallest(document)
            let text = try comparison.result(of: least).difference ?? difference
            Issue.record("seed \(seed): \(text); the smallest such test:\n\(least.yaml)")
            return
        }
        #expect(verdicts.values.reduce(0, +) == Self.clusters * Self.probes)
        #expect(
            verdicts.count == 3 && verdicts.values.allSatisfy { $0 >= 5 },
            "every verdict occurs often: \(verdicts)")
    }

    @Test func `the shrinker leaves what makes a case fail and nothing else`() {
        var generator = RandomPolicyTest(seed: 3)
        let document = generator.document(probes: 30)
        let least = document.shrunk { $0.json.contains("\"w1\"") && $0.json.contains("\"from\"") }
        #expect(least.json.count < 80 && document.json.count > 3000, "\(least.json)")
        #expect(least.json.contains("\"workloads\": [{\"name\": \"w1\"}]"))
    }

    @Test func `a case is printed as a test that reads as the case itself`() throws {
        var generator = RandomPolicyTest(seed: 4)
        for _ in 0..<20 {
            let document = generator.document(probes: 3)
            let printed = PolicyTestReader().read(bytes: Array(document.yaml.utf8), file: "printed.yaml")
            #expect(printed.diagnostics.filter { $0.severity == .error }.map(\.description) == [])
            let direct = PolicyTestReader().read(bytes: Array(document.json.utf8), file: "printed.yaml")
            #expect(printed.tests.map(\.workloads) == direct.tests.map(\.workloads))
            #expect(printed.tests.map { $0.probes.map(\.text) } == direct.tests.map { $0.probes.map(\.text) })
        }
    }
}
