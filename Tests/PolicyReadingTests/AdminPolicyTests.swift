// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

/// A policy of policy.networking.k8s.io named `p` with this text as its spec, from line 5, indented by two.
private func policy(_ kind: String, _ spec: String, name: String = "p") -> String {
    let version = kind == "ClusterNetworkPolicy" ? "v1alpha2" : "v1alpha1"
    let lines = spec.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
    return """
        apiVersion: policy.networking.k8s.io/\(version)
        kind: \(kind)
        metadata: {name: \(name)}
        spec:
        \(lines.joined(separator: "\n"))

        """
}

private func admin(_ spec: String) -> String { policy("AdminNetworkPolicy", spec) }
private func cluster(_ spec: String) -> String { policy("ClusterNetworkPolicy", spec) }
private func baseline(_ spec: String) -> String { policy("BaselineAdminNetworkPolicy", spec, name: "default") }

private let everyWorkload = "k8s:io.kubernetes.pod.namespace"

@Suite struct AdminPolicyTests {
    @Test(arguments: [
        LoweringCase(
            "rules keep their order, actions and ports",
            admin(
                """
                priority: 10
                subject: {namespaces: {}}
                ingress:
                  - {name: dns, action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {protocol: UDP, port: 53}}]}
                  - {action: Pass, from: [{namespaces: {}}], ports: [{portRange: {start: 80, end: 81}}, {namedPort: web}]}
                  - {action: Deny, from: [{namespaces: {}}]}
                """),
            [
                "admin tier, priority 10",
                "ingress[0]: allow endpoints \(everyWorkload) from \(everyWorkload) on udp/53",
                "ingress[1]: pass endpoints \(everyWorkload) from \(everyWorkload) on "
                    + "tcp/80-81,tcp/web,udp/web,sctp/web",
                "ingress[2]: deny endpoints \(everyWorkload) from \(everyWorkload) on all",
            ]),
        LoweringCase(
            "subjects and peers by namespace and pod, expressions and all",
            admin(
                """
                priority: 0
                subject:
                  pods:
                    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
                    podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web, api]}]}
                egress:
                  - action: Deny
                    to:
                      - namespaces: {matchExpressions: [{key: team, operator: In, values: [a, b]}]}
                      - networks: [10.0.0.0/8, "fd00::/8"]
                      - nodes: {matchLabels: {role: edge}}
                """),
            [
                "admin tier, priority 0",
                "egress[0]: deny endpoints k8s:io.kubernetes.pod.namespace=shop,any:app notin (web,api) to "
                    + "k8s:io.cilium.k8s.namespace.labels.team in (a,b),k8s:io.kubernetes.pod.namespace | "
                    + "10.0.0.0/8 with workloads | fd00::/8 with workloads | any:role=edge,reserved:host | "
                    + "any:role=edge,reserved:remote-node | prefixes of node:role=edge,node:io.kubernetes.node.name on all",
            ]),
        LoweringCase(
            "the baseline comes behind every other policy of its tier",
            baseline("subject: {namespaces: {}}\negress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]"),
            [
                "baseline tier, behind every priority",
                "egress[0]: deny endpoints \(everyWorkload) to 0.0.0.0/0 with workloads on all",
            ]),
        LoweringCase(
            "ClusterNetworkPolicy names its tier, accepts, and lists protocols",
            cluster(
                """
                tier: Baseline
                priority: 7
                subject: {namespaces: {}}
                ingress:
                  - action: Accept
                    from: [{namespaces: {}}]
                    protocols:
                      - {tcp: {destinationPort: {number: 443}}}
                      - {udp: {destinationPort: {range: {start: 1, end: 65535}}}}
                      - {destinationNamedPort: web}
                """),
            [
                "baseline tier, priority 7",
                "ingress[0]: allow endpoints \(everyWorkload) from \(everyWorkload) on "
                    + "tcp/443,udp/*,tcp/web,udp/web,sctp/web",
            ]),
    ])
    func `lowers to rules in order that close nothing`(row: LoweringCase) throws {
        let set = read(row.spec)
        #expect(set.diagnostics.map(\.description) == [])
        #expect(lowered(row.spec) == row.expected)
        #expect(set.policies.allSatisfy { $0.defaultDeny.isEmpty && $0.reference.namespace.isEmpty })
    }

    private static let head = "priority: 1\nsubject: {namespaces: {}}\n"
    private static let clusterHead = "tier: Admin\n" + head

    @Test(arguments: [
        (admin("subject: {namespaces: {}}"), ["5:3 BH1103 spec"]),
        (admin("priority: 1001\nsubject: {namespaces: {}}"), ["5:13 BH1309 spec.priority"]),
        (admin("priority: -1\nsubject: {namespaces: {}}"), ["5:13 BH1309 spec.priority"]),
        (admin("priority: 1"), ["5:3 BH1103 spec"]),
        (admin("priority: 1\nsubject: {}"), ["6:12 BH1408 spec.subject"]),
        (
            admin("priority: 1\nsubject: {namespaces: {}, pods: {namespaceSelector: {}, podSelector: {}}}"),
            ["6:29 BH1408 spec.subject.pods"]
        ),
        (admin("priority: 1\nsubject: {pods: {podSelector: {}}}"), ["6:19 BH1103 spec.subject.pods"]),
        (admin(head + "ingress: [{action: Deny}]"), ["7:13 BH1103 spec.ingress[0]"]),
        (admin(head + "ingress: [{action: Deny, from: []}]"), ["7:34 BH1310 spec.ingress[0].from"]),
        (admin(head + "ingress: [{action: Accept, from: [{namespaces: {}}]}]"), ["7:22 BH1105 spec.ingress[0].action"]),
        (
            admin(head + "ingress: [{action: Deny, to: [{namespaces: {}}]}]"),
            ["7:28 BH1102 spec.ingress[0].to", "7:13 BH1103 spec.ingress[0]"]
        ),
        (admin(head + "ingress: [{action: Deny, from: [{}]}]"), ["7:35 BH1406 spec.ingress[0].from[0]"]),
        (
            admin(head + "ingress: [{action: Deny, from: [{networks: [10.0.0.0/8]}]}]"),
            ["7:36 BH1102 spec.ingress[0].from[0].networks"]
        ),
        (
            admin(head + "egress: [{action: Deny, to: [{domainNames: [example.org]}]}]"),
            ["7:33 BH1401 spec.egress[0].to[0].domainNames"]
        ),
        (
            admin(head + "egress: [{action: Deny, to: [{namespaces: {}, networks: [10.0.0.0/8]}]}]"),
            ["7:49 BH1401 spec.egress[0].to[0].networks"]
        ),
        (
            admin(head + "egress: [{action: Deny, to: [{networks: [10.0.0.0/33]}]}]"),
            ["7:44 BH1301 spec.egress[0].to[0].networks[0]"]
        ),
        (
            admin(head + "ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {port: 0}}]}]"),
            ["7:82 BH1303 spec.ingress[0].ports[0].portNumber.port"]
        ),
        (
            admin(
                head + "ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{portRange: {start: 9, end: 8}}]}]"),
            ["7:90 BH1303 spec.ingress[0].ports[0].portRange.end"]
        ),
        (
            admin(
                head
                    + "ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {port: 1, protocol: ICMP}}]}]"
            ),
            ["7:95 BH1307 spec.ingress[0].ports[0].portNumber.protocol"]
        ),
        (baseline(head), ["5:3 BH1102 spec.priority"]),
        (
            baseline("subject: {namespaces: {}}\ningress: [{action: Pass, from: [{namespaces: {}}]}]"),
            ["6:22 BH1105 spec.ingress[0].action"]
        ),
        (policy("BaselineAdminNetworkPolicy", "subject: {namespaces: {}}"), ["3:11 BH1106 metadata"]),
        (cluster(head), ["5:3 BH1103 spec"]),
        (cluster("tier: Normal\n" + head), ["5:9 BH1105 spec.tier"]),
        (
            cluster(clusterHead + "ingress: [{action: Allow, from: [{namespaces: {}}]}]"),
            ["8:22 BH1105 spec.ingress[0].action"]
        ),
        (
            cluster(clusterHead + "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {}}]}]"),
            ["8:72 BH1103 spec.ingress[0].protocols[0].tcp"]
        ),
        (
            cluster(clusterHead + "ingress: [{action: Deny, from: [{namespaces: {}}], ports: []}]"),
            ["8:54 BH1102 spec.ingress[0].ports"]
        ),
    ])
    func `refuses what the API refuses, with the place`(text: String, expected: [String]) {
        #expect(findings(text).sorted() == expected.sorted())
        #expect(read(text).policies.isEmpty)
        #expect(read(text).diagnostics.allSatisfy { $0.remedy != nil })
    }

    @Test func `more rules than the API accepts are refused`() {
        let rule = "\n  - {action: Deny, from: [{namespaces: {}}]}"
        func codes(_ text: String) -> [DiagnosticCode] { read(text).diagnostics.map(\.code) }
        #expect(codes(admin(Self.head + "ingress:" + String(repeating: rule, count: 100))) == [])
        #expect(codes(admin(Self.head + "ingress:" + String(repeating: rule, count: 101))) == [.tooMany])
        #expect(codes(cluster(Self.clusterHead + "ingress:" + String(repeating: rule, count: 25))) == [])
        #expect(codes(cluster(Self.clusterHead + "ingress:" + String(repeating: rule, count: 26))) == [.tooMany])
    }

    @Test func `the old word for an action is understood enough to name the new one`() {
        let text = cluster(Self.clusterHead + "ingress: [{action: Allow, from: [{namespaces: {}}]}]")
        #expect(read(text).diagnostics.first?.remedy == "did you mean `Accept`?")
    }
}
