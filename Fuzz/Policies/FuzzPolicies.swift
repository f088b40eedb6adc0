// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import KernelPolicyTesting
import PolicyOracle
import PolicyTesting

/// Compares what random policies mean with what model, explainer and kernel say, for as long as one likes.
@main struct FuzzPolicies: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz-policies",
        abstract: "Compares the policy engines with the oracle about random policies and clusters.")

    @Option(help: "Where the random numbers start; the same seed gives the same cases.")
    var seed: UInt64 = 1

    @Option(help: "Cases (probes of random clusters) to judge.")
    var cases = 1_000_000

    @Option(help: "Probes of each cluster.")
    var probes = 100

    @Option(help: "Stop after so many seconds, however many cases are left.")
    var seconds = 600

    @Flag(help: "Leave the kernel out: needs no root.")
    var withoutKernel = false

    mutating func run() throws {
        var engines: [any PolicyTestEngine] = [ModelEngine(), ExplainerEngine()]
        if !withoutKernel { engines.append(try KernelEngine()) }
        let comparison = PolicyComparison(engines: engines)
        let end = ContinuousClock.now + .seconds(seconds)
        var generator = RandomPolicyTest(seed: seed)
        var verdicts: [String: Int] = [:]
        var judged = 0
        while judged < cases, ContinuousClock.now < end {
            let document = generator.document(probes: probes)
            let result = try comparison.result(of: document)
            judged += probes
            verdicts.merge(result.verdicts, uniquingKeysWith: +)
            guard let difference = result.difference else { continue }
            let least = comparison.smallest(document)
            print("seed \(seed), case \(judged): \(try comparison.result(of: least).difference ?? difference)")
            print("a test that fails for it (run: bulkhead policy test --engine both FILE):\n\(least.yaml)")
            throw ExitCode.failure
        }
        let counts = verdicts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        let names = engines.map(\.name).joined(separator: ", ")
        print("\(judged) cases (\(counts)): oracle, \(names) agree")
    }
}
