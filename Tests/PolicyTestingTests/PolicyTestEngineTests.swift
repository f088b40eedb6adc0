// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel
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
              - {name: h, addresses: [198.51.100.1], node: n1, hostNetwork: true}
              - {name: h2, addresses: [198.51.100.2], node: n1, hostNetwork: true}
              - {name: s, addresses: [198.51.100.1], node: n1, hostNetwork: true, labels: {"process:user": s}}
              - {name: r, addresses: [198.51.100.3], node: n2, hostNetwork: true}
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

    @Test(arguments: [
        ("a", "h", [Direction.egress]), ("h", "a", [.ingress]), ("h", "h2", []), ("h", "h", []),
        ("b", "h", [.egress, .ingress]), ("h", "b", [.egress, .ingress]), ("h", "192.0.2.9", [.egress]),
        ("s", "a", [.egress, .ingress]), ("a", "s", [.egress, .ingress]), ("h", "r", [.egress, .ingress]),
    ])
    func `a host is asked about what crosses its devices, a service of it about everything`(
        from: String, to: String, asked: [Direction]
    ) throws {
        let engine = Stubborn(.deny)
        let outcome = try #require(try run([engine], "{from: \(from), to: \(to), port: 1, expect: deny}").first)
        #expect(outcome.sides.map(\.direction) == asked)
        #expect(outcome.verdict == (asked.isEmpty ? .allow : .deny))
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
