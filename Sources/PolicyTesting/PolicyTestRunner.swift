// SPDX-License-Identifier: Apache-2.0

import NetworkModel
package import PolicyModel
package import PolicyReading

/// Runs policy tests with one engine or several.
package struct PolicyTestRunner {
    /// One test that was run.
    package struct Result: Sendable {
        package var test: PolicyTest
        package var outcomes: [ProbeOutcome]
    }

    /// Something about the test's input is wrong; nothing of the test was run.
    package struct InputError: Error {
        package var diagnostics: [Diagnostic]

        package init(diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }
    }

    private let engines: [any PolicyTestEngine]
    private let reader: PolicyReader
    private let now: Int64?
    private let load: (_ path: String, _ at: SourceLocation) throws -> [UInt8]

    /// `engines`: at least one; more than one must agree.
    ///
    /// `load` reads a file of policies that a test names; paths are as the test has them. `now`: seconds since 1970, for
    /// tests that do not say when they are; nil: no policy's time is over.
    package init(
        engines: [any PolicyTestEngine] = [ModelEngine()],
        reader: PolicyReader = PolicyReader(), now: Int64? = nil,
        load: @escaping (_ path: String, _ at: SourceLocation) throws -> [UInt8]
    ) {
        self.engines = engines
        self.reader = reader
        self.now = now
        self.load = load
    }

    /// Runs one test: every probe, also after failures.
    ///
    /// Throws `InputError` if a policy has an error, what `load` throws, and what an engine throws that cannot judge.
    package func run(_ test: PolicyTest) throws -> Result {
        let policies = try policies(of: test)
        let ends = test.probes.map { $0.ends(among: test.workloads) }
        var sides = engines.map { _ in test.probes.map { _ in [ProbeOutcome.Side]() } }
        // Node by node: a node's policies are put in force once, whatever the order of the probes.
        for node in Set(ends.joined().map(\.workload.node)).sorted() {
            let view = try ClusterView(of: test, policies: policies, node: node)
            for (number, engine) in engines.enumerated() {
                try engine.load(view)
                for (index, probe) in test.probes.enumerated() {
                    let here = ends[index].filter { $0.workload.node == node }
                    guard !here.isEmpty else { continue }
                    sides[number][index] += try engine.judge(probe, at: here)
                }
            }
        }
        let outcomes = test.probes.enumerated().map { index, probe in
            ProbeOutcome(
                probe: probe,
                opinions: zip(engines, sides).map { engine, sides in
                    .init(
                        engine: engine.name,
                        sides: sides[index].sorted { $0.position < $1.position },
                        isImpossible: probe.isImpossible)
                })
        }
        return Result(test: test, outcomes: outcomes)
    }

    private func policies(of test: PolicyTest) throws -> [Policy] {
        var set = PolicySet()
        var diagnostics: [Diagnostic] = []
        for source in test.policies {
            switch source {
            case .inline(let policies): diagnostics += set.merge(policies)
            case .file(let path, let location):
                let result = reader.read(bytes: try load(path, location), file: path)
                diagnostics += result.diagnostics.filter { $0.severity == .error }
                diagnostics += set.merge(result.policies)
            }
        }
        guard diagnostics.isEmpty else { throw InputError(diagnostics: diagnostics) }
        return set.policies.inForce(at: test.now ?? now)
    }
}
