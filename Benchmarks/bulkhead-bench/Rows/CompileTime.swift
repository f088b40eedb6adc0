// SPDX-License-Identifier: Apache-2.0

import PolicyCompiler

/// CPU of compiling a big installation's policies from nothing.
enum CompileTime: Benchmark {
    static let name = "compile"
    static let summary = "1 000 policies, 500 endpoints, 10 000 identities compiled from nothing"
    private static let secondsMax = 2.0

    static func run(_ effort: Effort) throws -> [Row] {
        let input = CompilerWorkload(policyCount: 1000, subjectCount: 500, identityCount: 10_000).input()
        var samples = Samples()
        for round in 1...effort.rounds {
            var registry = RuleRegistry()
            let begin = Clocks.process
            let output = RuleCompiler.compile(input, registry: &registry)
            let seconds = Double(Clocks.process - begin) / 1e9
            guard output.state.policy.count > 1000 else {
                throw BenchError("compiled only \(output.state.policy.count) policy entries: nothing was measured")
            }
            samples.add(seconds)
            let text = ResultTable.number(seconds)
            report("  compile, round \(round): \(text) s CPU, \(output.state.policy.count) policy entries")
        }
        return [Row("compile from nothing", unit: "s CPU", ours: samples.median, bound: secondsMax)]
    }
}
