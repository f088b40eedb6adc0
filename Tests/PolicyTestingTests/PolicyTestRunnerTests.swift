// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading
import PolicyTesting
import Testing

/// Policy tests from their text to their outcomes.
@Suite struct PolicyTestRunnerTests {
    private static let cluster = """
        apiVersion: bulkhead.dev/v1alpha1
        kind: PolicyTest
        metadata: {name: payments}
        namespaces:
          - {name: pay, labels: {team: payments}}
          - {name: shop, labels: {team: shop}}
        workloads:
          - {namespace: pay, name: api, labels: {app: api}, addresses: [10.1.0.5, "fd00::5"], node: n1,
             ports: [{name: http, port: 8080, protocol: TCP}]}
          - {namespace: shop, name: web, labels: {app: web}, addresses: [10.1.0.6, "fd00::6"], node: n2}
          - {namespace: shop, name: intruder, labels: {app: intruder}, addresses: [10.1.0.7], node: n2}
          - {namespace: kube-system, name: proxy, addresses: [192.0.2.1], node: n1, hostNetwork: true}
          - {namespace: kube-system, name: proxy-2, addresses: [192.0.2.2], node: n2, hostNetwork: true}
        policies:
          - file: pay.yaml

        """

    private static let policy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: api, namespace: pay}
        spec:
          podSelector: {matchLabels: {app: api}}
          ingress:
            - from:
                - namespaceSelector: {matchLabels: {team: shop}}
                  podSelector: {matchLabels: {app: web}}
              ports: [{port: http}]
            - from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.8/32]}}]
              ports: [{port: 8443}]
        """

    private func run(_ probes: String, policy: String = policy, in cluster: String = cluster) throws -> [ProbeOutcome] {
        let text = cluster + "probes:\n" + probes.split(separator: "\n").map { "  - {\($0)}\n" }.joined()
        let set = PolicyTestReader().read(bytes: Array(text.utf8), file: "test.yaml")
        #expect(set.diagnostics.map(\.description) == [])
        let test = try #require(set.tests.first)
        return try PolicyTestRunner { path, _ in
            #expect(path == "pay.yaml")
            return Array(policy.utf8)
        }.run(test).outcomes
    }

    @Test(arguments: [
        "from: shop/web, to: pay/api, port: 8080, expect: allow",
        "from: shop/web, to: pay/api, port: http, protocol: TCP, expect: allow",
        "from: shop/web, to: pay/api, port: http, family: IPv6, expect: allow",
        "from: shop/web, to: pay/api, port: 8081, expect: deny",
        "from: shop/web, to: pay/api, port: 8080, protocol: UDP, expect: deny",
        "from: shop/intruder, to: pay/api, port: 8080, expect: deny",
        "from: 203.0.113.7, to: pay/api, port: 8443, expect: allow",
        "from: 203.0.113.8, to: pay/api, port: 8443, expect: deny",
        "from: \"2001:db8::7\", to: pay/api, port: 8443, expect: deny",
        "from: pay/api, to: 192.0.2.77, protocol: ICMP, icmpType: 8, expect: allow",
        "from: shop/web, to: pay/api, protocol: ICMP, expect: deny",
        "from: shop/web, to: pay/api, protocol: ICMP, family: IPv6, icmpType: 128, expect: deny",
        "from: pay/api, to: pay/api, port: 9, expect: allow",
        "from: kube-system/proxy, to: pay/api, port: 9, expect: allow",
        "from: kube-system/proxy-2, to: pay/api, port: 9, expect: deny",
        "from: kube-system/proxy-2, to: shop/web, port: 9, expect: allow",
        "from: shop/web, to: pay/api, protocol: 47, expect: deny",
    ])
    func `a probe has the verdict of both ends`(probe: String) throws {
        let outcome = try #require(try run(probe).first)
        #expect(outcome.failure == nil, "\(probe)")
    }

    @Test func `an address of the other family sends nothing: denied, with a warning`() throws {
        let probe = "from: 203.0.113.7, to: pay/api, port: http, protocol: TCP, family: IPv6, expect: "
        let text = Self.cluster + "probes:\n  - {\(probe)deny}\n  - {\(probe)allow}\n"
        let set = PolicyTestReader().read(bytes: Array(text.utf8), file: "test.yaml")
        #expect(set.diagnostics.map(\.severity) == [.warning, .warning])
        #expect(set.diagnostics.first?.message.hasPrefix("203.0.113.7 is no IPv6 address") == true)
        let test = try #require(set.tests.first)
        let outcomes = try PolicyTestRunner { _, _ in Array(Self.policy.utf8) }.run(test).outcomes
        #expect(outcomes.map(\.isMet) == [true, false])
        #expect(outcomes[1].failure == "expected allow, got deny (no packet travels between IPv4 and IPv6)")
    }

    @Test func `a failure says what was expected and what each end said`() throws {
        let outcomes = try run(
            """
            from: shop/intruder, to: pay/api, port: 8080, expect: allow
            from: shop/web, to: pay/api, port: 8080, expect: deny
            """)
        #expect(
            outcomes.map(\.failure) == [
                "expected allow, got deny (egress: allow by no policy; "
                    + "ingress: deny by no ingress rule of NetworkPolicy/pay/api)",
                "expected deny, got allow (egress: allow by no policy; "
                    + "ingress: allow by NetworkPolicy/pay/api ingress[0])",
            ])
        #expect(outcomes[0].probe.location.text == "test.yaml:17:5")
    }

    @Test(arguments: [
        ("NetworkPolicy/pay/api ingress[0]", true), ("NetworkPolicy/pay/api", true),
        ("NetworkPolicy/pay/api ingress[1]", false), ("NetworkPolicy/pay/ap", false),
    ])
    func `the rule named must be the one that wins`(rule: String, isMet: Bool) throws {
        let outcome = try #require(
            try run("from: shop/web, to: pay/api, port: 8080, expect: allow, rule: \"\(rule)\"").first)
        #expect(outcome.isMet == isMet)
        if !isMet { #expect(outcome.failure?.hasPrefix("expected rule \(rule), got allow") ?? false) }
    }

    @Test func `policies in audit mode let pass what they would deny`() throws {
        let audited = Self.policy.replacing(
            "namespace: pay}", with: "namespace: pay, annotations: {bulkhead.dev/mode: audit}}")
        let outcomes = try run(
            """
            from: shop/intruder, to: pay/api, port: 8080, expect: audit
            from: shop/intruder, to: pay/api, port: 8080, expect: allow
            from: shop/web, to: pay/api, port: 8080, expect: audit
            """, policy: audited)
        #expect(outcomes.map(\.isMet) == [true, true, false])
    }

    @Test func `an error in a policy runs nothing`() throws {
        let error = #expect(throws: PolicyTestRunner.InputError.self) {
            try run("from: shop/web, to: pay/api, port: 1, expect: deny", policy: "kind: Nonsense\napiVersion: v1")
        }
        #expect(error?.diagnostics.first?.location.text == "pay.yaml:1:7")
    }
}
