// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading
import Testing

/// What is wrong in a policy test is said with its place.
@Suite struct PolicyTestReadingTests {
    private static let head = """
        apiVersion: bulkhead.dev/v1alpha1
        kind: PolicyTest
        metadata: {name: t}
        workloads:
          - {name: a, addresses: [10.1.0.1]}
          - {name: b, addresses: ["fd00::2"], ports: [{name: http, port: 80}]}

        """

    private static let wrong: [(text: String, line: Int, column: Int, message: String)] = [
        ("probes: [{from: c, to: default/a, port: 1, expect: deny}]", 7, 17, "neither a workload"),
        ("probes: [{from: a, to: b, port: 1, expect: deny}]", 7, 10, "no common address"),
        ("probes: [{from: a, to: 10.0.0.1, port: 1, family: IPv6, expect: deny}]", 7, 51, "no common address"),
        ("probes: [{from: a, to: 10.0.0.1, port: http, expect: deny}]", 7, 40, "no tcp port named"),
        ("probes: [{from: a, to: 10.0.0.1, port: 0, expect: deny}]", 7, 40, "0 is not a port number"),
        ("probes: [{from: a, to: 10.0.0.1, expect: deny}]", 7, 10, "field `port` is missing"),
        ("probes: [{from: a, to: 10.0.0.1, protocol: ICMP, port: 1, expect: deny}]", 7, 50, "ICMP has no ports"),
        ("probes: [{from: a, to: 10.0.0.1, protocol: QUIC, port: 1, expect: deny}]", 7, 44, "not a protocol"),
        ("probes: [{from: a, to: 10.0.0.1, port: 1, expect: reject}]", 7, 51, "not a verdict"),
        (
            "probes: [{from: a, to: 10.0.0.1, through: a, port: 1, expect: deny}]", 7, 43, "is no host of this test"
        ),
        (
            """
              - {name: h, addresses: [192.0.2.1], hostNetwork: true}
            probes: [{from: a, to: a, through: h, port: 1, expect: deny}]
            """, 8, 36, "does not pass through"
        ),
        (
            """
              - {name: h, addresses: [192.0.2.1], hostNetwork: true}
            probes: [{from: 10.0.0.1, to: h, through: h, port: 1, expect: deny}]
            """, 8, 43, "does not pass through"
        ),
        ("probes: [{from: a, to: 10.0.0.1, port: 1}]", 7, 10, "field `expect` is missing"),
        ("policies: [{file: a.yaml, inline: \"\"}]\nprobes: []", 7, 27, "both file and inline"),
        ("policies: [{inline: \"kind: Foo\"}]\nprobes: []", 7, 21, "line 1, column 1 of the text"),
        ("policies: []", 1, 1, "field `probes` is missing"),
        ("prob: []\nprobes: []", 7, 1, "unknown field"),
    ]

    @Test(arguments: wrong)
    func `bad input is refused with its place`(text: String, line: Int, column: Int, message: String) throws {
        let set = PolicyTestReader().read(bytes: Array((Self.head + text).utf8), file: "t.yaml")
        #expect(set.tests.isEmpty)
        let diagnostic = try #require(set.diagnostics.first { $0.severity == .error })
        #expect(diagnostic.location.text == "t.yaml:\(line):\(column)")
        #expect(diagnostic.message.contains(message), "\(diagnostic.message)")
        if message == "neither a workload" { #expect(diagnostic.code == .invalidTest) }
    }

    @Test func `two workloads of one name or address are refused`() {
        let text = """
            apiVersion: bulkhead.dev/v1alpha1
            kind: PolicyTest
            metadata: {name: t}
            workloads:
              - {name: a, addresses: [10.1.0.1]}
              - {name: a, addresses: [10.1.0.2]}
              - {name: b, addresses: [10.1.0.1]}
              - {name: c, addresses: []}
              - {name: d, addresses: [ten]}
              - {name: e, addresses: [192.0.2.1], hostNetwork: true, node: n1}
              - {name: f, addresses: [192.0.2.1], hostNetwork: true, node: n1}
              - {name: g, addresses: [192.0.2.1]}
              - {name: h, addresses: [10.1.0.1], hostNetwork: true, node: n2}
            probes: []
            """
        let set = PolicyTestReader().read(bytes: Array(text.utf8), file: "t.yaml")
        #expect(set.diagnostics.map(\.location.line) == [6, 7, 8, 9, 9, 12, 13])
    }

    @Test func `several documents of YAML and JSON stand in one file`() {
        let json =
            #"{"apiVersion": "bulkhead.dev/v1alpha1", "kind": "PolicyTest", "metadata": {"name": "j"}, "probes": []}"#
        let set = PolicyTestReader().read(
            bytes: Array((Self.head + "probes: []\n---\n" + json).utf8), file: "t.yaml")
        #expect(set.tests.map(\.name) == ["t", "j"] && set.diagnostics.isEmpty)
    }

    @Test func `inline policies are text or written out in place`() throws {
        let text = """
            policies:
              - inline: '{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"},
                  "spec": {"podSelector": {}}}'
              - inline:
                  apiVersion: networking.k8s.io/v1
                  kind: NetworkPolicy
                  metadata: {name: y}
                  spec: {podSelector: {}}
            probes: []
            """
        let set = PolicyTestReader().read(bytes: Array((Self.head + text).utf8), file: "t.yaml")
        #expect(set.diagnostics.isEmpty)
        let names = try #require(set.tests.first).policies.flatMap { source -> [String] in
            guard case .inline(let policies) = source else { return [] }
            return policies.map(\.reference.name)
        }
        #expect(names == ["x", "y"])
    }
}
