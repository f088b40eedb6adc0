// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyCompiler
package import PolicyModel
package import PolicyReading

/// Runs policy tests with the user-space engine.
package struct PolicyTestRunner {
    /// One test that was run.
    package struct Result: Sendable {
        package var test: PolicyTest
        package var outcomes: [ProbeOutcome]
    }

    /// Something about the test's input is wrong; nothing of the test was run.
    package struct InputError: Error {
        package var diagnostics: [Diagnostic]
    }

    private let reader: PolicyReader
    private let load: (_ path: String, _ at: SourceLocation) throws -> [UInt8]

    /// `load` reads a file of policies that a test names; paths are as the test has them.
    package init(
        reader: PolicyReader = PolicyReader(), load: @escaping (_ path: String, _ at: SourceLocation) throws -> [UInt8]
    ) {
        self.reader = reader
        self.load = load
    }

    /// Runs one test: every probe, also after failures.
    ///
    /// Throws `InputError` if a policy has an error, and what `load` throws.
    package func run(_ test: PolicyTest) throws -> Result {
        let policies = try policies(of: test)
        var views: [String: ClusterView] = [:]
        let outcomes = try test.probes.map { probe in
            var sides: [ProbeOutcome.Side] = []
            for (direction, end, peer) in [
                (Direction.egress, probe.source, probe.destination), (.ingress, probe.destination, probe.source),
            ] {
                guard let workload = end.workload.map({ test.workloads[$0] }) else { continue }
                if end.address == peer.address {
                    sides.append(.init(direction: direction, verdict: .allow, cause: .builtin("self")))
                    continue
                }
                let view = try views[workload.node] ?? ClusterView(of: test, policies: policies, node: workload.node)
                views[workload.node] = view
                sides.append(
                    view.judge(workload, peer: peer.address, direction, proto: probe.proto, port: probe.port))
            }
            return ProbeOutcome(probe: probe, sides: sides)
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
        return set.policies
    }
}
