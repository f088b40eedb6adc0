// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyReading
import PolicyTesting
import Testing

/// Several engines beside each other.
@Suite struct PolicyTestEngineTests {
    /// Says the same of everything, and notes what it was asked.
    private final class Stubborn: PolicyTestEngine {
        let name = "stubborn"
        let verdict: PolicyTest.Expectation
        private(set) var loads = 0
        private(set) var asked: [[Direction]] = []

        init(_ verdict: PolicyTest.Expectation) { self.verdict = verdict }

        func load(_ view: ClusterView) { loads += 1 }

        func judge(_ probe: PolicyTest.Probe, at ends: [ProbeEnd]) -> [ProbeOutcome.Side] {
            asked.append(ends.map(\.direction))
            return ends.map { .init(direction: $0.direction, verdict: verdict, cause: nil) }
        }
    }

    private func run(_ engines: [any PolicyTestEngine], _ probes: String) throws -> [ProbeOutcome] {
        let text = """
            apiVersion: bulkhead.dev/v1alpha1
            kind: PolicyTest
            metadata: {name: t}
            workloads:
              - {name: a, addresses: [10.1.0.1], node: n1}
              - {name: b, addresses: [10.1.0.2], node: n2}
            probes: [\(probes)]
            """
        let set = PolicyTestReader().read(bytes: Array(text.utf8), file: "t.yaml")
        #expect(set.diagnostics.isEmpty)
        return try PolicyTestRunner(engines: engines) { _, _ in [] }.run(try #require(set.tests.first)).outcomes
    }

    @Test func `a difference is a failure with both explanations`() throws {
        let outcome = try #require(
            try run([ModelEngine(), Stubborn(.deny)], "{from: a, to: b, port: 80, expect: allow}").first)
        #expect(!outcome.isMet && outcome.dissent?.engine == "stubborn")
        #expect(
            outcome.failure == "model and stubborn disagree: "
                + "model says allow (egress: allow by no policy; ingress: allow by no policy), "
                + "stubborn says deny (egress: deny by no policy; ingress: deny by no policy)")
    }

    @Test func `agreement leaves the expectation to be met`() throws {
        let probes = "{from: a, to: b, port: 80, expect: allow}, {from: a, to: b, port: 80, expect: deny}"
        let outcomes = try run([ModelEngine(), Stubborn(.allow)], probes)
        #expect(outcomes.map(\.isMet) == [true, false] && outcomes.allSatisfy { $0.dissent == nil })
    }

    @Test func `a node's policies are loaded once, and an end is judged at its node`() throws {
        let engine = Stubborn(.allow)
        let probes =
            "{from: a, to: b, port: 1, expect: allow}, {from: b, to: a, port: 1, expect: allow}, "
            + "{from: a, to: a, port: 1, expect: allow}, {from: 192.0.2.1, to: 192.0.2.2, port: 1, expect: allow}"
        let outcomes = try run([engine], probes)
        #expect(engine.loads == 2)
        #expect(engine.asked == [[.egress], [.ingress], [.egress, .ingress], [.ingress], [.egress]])
        #expect(
            outcomes.map { $0.sides.map(\.direction) } == [
                [.egress, .ingress], [.egress, .ingress], [.egress, .ingress], [],
            ])
    }
}
