// SPDX-License-Identifier: Apache-2.0

import Foundation
import KernelPolicyTesting
import PolicyCompiler
import PolicyModel
import PolicyReading
import PolicyTesting
import Testing

/// Probes of policy tests through the kernel's own programs.
@Suite(.serialized) struct KernelEngineTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Examples/policies/tests")

    private static func exampleFiles() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }.sorted()
    }

    private func tests(_ text: String, file: String = "test.yaml") throws -> [PolicyTest] {
        let set = PolicyTestReader().read(bytes: Array(text.utf8), file: file)
        try #require(set.diagnostics.map(\.description) == [])
        return set.tests
    }

    private func run(_ text: String) throws -> [ProbeOutcome] {
        let runner = PolicyTestRunner(engines: [ModelEngine(), try KernelEngine()]) { _, _ in [] }
        return try tests(text).flatMap { try runner.run($0).outcomes }
    }

    @Test(arguments: try exampleFiles()) func `model and kernel agree about the examples`(name: String) throws {
        let bytes = try [UInt8](Data(contentsOf: Self.folder.appendingPathComponent(name)))
        let runner = PolicyTestRunner(engines: [ModelEngine(), try KernelEngine()]) { path, _ in
            try [UInt8](Data(contentsOf: Self.folder.appendingPathComponent(path)))
        }
        let tests = try tests(String(decoding: bytes, as: UTF8.self), file: name)
        #expect(!tests.isEmpty)
        for test in tests {
            let outcomes = try runner.run(test).outcomes
            #expect(!outcomes.isEmpty && outcomes.allSatisfy { $0.opinions.map(\.engine) == ["model", "kernel"] })
            #expect(outcomes.compactMap { outcome in outcome.failure.map { "\(outcome.probe.text): \($0)" } } == [])
        }
    }

    private static let head = """
        apiVersion: bulkhead.dev/v1alpha1
        kind: PolicyTest
        metadata: {name: t}
        workloads:
          - {name: a, labels: {app: a}, addresses: [10.1.0.1, "fd00:1::1"], node: n1}
          - {name: b, labels: {app: b}, addresses: [10.1.0.2, "fd00:1::2"], node: n2}
          - {name: h, addresses: [192.0.2.1, "2001:db8::1"], node: n1, hostNetwork: true}

        """

    private static let closedB = """
        policies:
          - inline:
              apiVersion: networking.k8s.io/v1
              kind: NetworkPolicy
              metadata: {name: closed}
              spec:
                podSelector: {matchLabels: {app: b}}
                ingress: [{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 80}]}]

        """

    private static let kinds = [
        "from: a, to: b, port: 80, expect: allow, rule: \"NetworkPolicy/default/closed ingress[0]\"",
        "from: a, to: b, port: 80, family: IPv6, expect: allow",
        "from: a, to: b, port: 81, expect: deny, rule: NetworkPolicy/default/closed",
        "from: a, to: b, port: 80, protocol: UDP, expect: deny",
        "from: a, to: b, port: 80, protocol: SCTP, family: IPv6, expect: deny",
        "from: a, to: b, protocol: ICMP, expect: deny",
        "from: a, to: b, protocol: ICMP, icmpType: 3, expect: deny, rule: NetworkPolicy/default/closed",
        "from: a, to: b, protocol: ICMP, icmpType: 1, family: IPv6, expect: deny",
        "from: a, to: b, protocol: ICMP, icmpType: 13, expect: deny",
        "from: a, to: b, protocol: 47, expect: deny",
        "from: a, to: a, port: 80, expect: allow", "from: b, to: b, port: 81, expect: allow",
        "from: b, to: b, protocol: ICMP, family: IPv6, expect: allow", "from: b, to: b, protocol: 47, expect: allow",
        "from: b, to: b, protocol: ICMP, icmpType: 17, expect: allow",
        "from: h, to: a, port: 1, expect: allow", "from: a, to: h, port: 1, expect: allow",
        "from: h, to: b, port: 1, expect: deny", "from: h, to: 203.0.113.1, port: 49152, expect: allow",
        "from: 203.0.113.1, to: b, port: 80, expect: deny",
        "from: 203.0.113.1, to: 203.0.113.2, port: 80, expect: allow",
    ]

    @Test func `a first packet of every kind is judged as the model does`() throws {
        let probes = Self.kinds.map { "  - {\($0)}\n" }.joined()
        let outcomes = try run(Self.head + Self.closedB + "probes:\n" + probes)
        #expect(outcomes.count == Self.kinds.count)
        #expect(outcomes.compactMap { outcome in outcome.failure.map { "\(outcome.probe.text): \($0)" } } == [])
    }

    @Test func `an unasked reply is judged as the exchange that its request would have opened`() throws {
        // b may be asked nothing, so it is believed to answer nothing; what a is believed to ask is open.
        let probes = """
            probes:
              - {from: a, to: b, protocol: ICMP, icmpType: 0, expect: allow}
              - {from: b, to: a, protocol: ICMP, icmpType: 0, expect: deny}
              - {from: b, to: a, protocol: ICMP, icmpType: 129, family: IPv6, expect: deny}
              - {from: b, to: b, protocol: ICMP, icmpType: 14, expect: deny}
            """
        #expect(try run(Self.head + Self.closedB + probes).compactMap(\.failure) == [])
    }

    @Test func `an allowed probe opens no door for the ones after it`() throws {
        let forth = "  - {from: b, to: a, port: 49152, protocol: UDP, expect: allow}\n"
        let back = "  - {from: a, to: b, port: 49153, protocol: UDP, expect: deny}\n"
        let again = "  - {from: a, to: b, port: 80, expect: allow}\n  - {from: a, to: b, port: 80, expect: allow}\n"
        let outcomes = try run(Self.head + Self.closedB + "probes:\n" + forth + back + again + forth + back)
        #expect(outcomes.count == 6 && outcomes.compactMap(\.failure) == [])
    }

    @Test func `what no policy decides is named by its drop reason, and is a disagreement`() throws {
        let outcomes = try run(
            Self.head + "probes: [{from: a, to: b, protocol: 58, family: IPv4, expect: allow}]")
        let outcome = try #require(outcomes.first)
        #expect(outcome.dissent?.sides.first?.cause?.text == "protocol")
        #expect(outcome.failure?.hasPrefix("model and kernel disagree: model says allow (") == true)
    }

    @Test func `tables grow with the test`() throws {
        let prefixes = (0..<17_000).map { "10.\(64 + $0 / 256).\($0 % 256).0/24" }.joined(separator: ", ")
        let text =
            Self.head + """
                policies:
                  - inline:
                      apiVersion: cilium.io/v2
                      kind: CiliumNetworkPolicy
                      metadata: {name: many}
                      spec:
                        endpointSelector: {}
                        ingress: [{fromCIDR: [\(prefixes)], toPorts: [{ports: [{port: "80"}]}]}]
                probes:
                  - {from: 10.64.0.1, to: a, port: 80, expect: allow}
                  - {from: 10.130.103.1, to: b, port: 80, expect: allow}
                  - {from: 10.130.104.1, to: b, port: 80, expect: deny}
                """
        #expect(try run(text).compactMap(\.failure) == [])
    }

    @Test func `a small test after a large one sees nothing of it`() throws {
        let open = Self.head + "probes: [{from: a, to: b, port: 9, expect: allow}]"
        let closed = Self.head + Self.closedB + "probes: [{from: a, to: b, port: 9, expect: deny}]"
        let outcomes = try run([closed, open, closed, closed, open].joined(separator: "\n---\n"))
        #expect(outcomes.count == 5 && outcomes.compactMap(\.failure) == [])
    }
}
