// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

private let all = "endpoints k8s:io.kubernetes.pod.namespace=shop"
private let web = "\(all),any:app=web"
private let namespace = "k8s:io.kubernetes.pod.namespace"
private let namespaceLabel = "k8s:io.cilium.k8s.namespace.labels."

@Suite struct NetworkPolicyTests {
    static let lowering: [LoweringCase] = [
        .init("no rules and no policyTypes: ingress is closed", "podSelector: {}", ["default deny ingress of \(all)"]),
        .init(
            "policyTypes Egress without rules: only egress is closed", "podSelector: {}\npolicyTypes: [Egress]",
            ["default deny egress of \(all)"]),
        .init(
            "both policyTypes without rules: both are closed", "podSelector: {}\npolicyTypes: [Ingress, Egress]",
            ["default deny ingress of \(all)", "default deny egress of \(all)"]),
        .init(
            "policyTypes missing and egress rules present: both are closed", "podSelector: {}\negress: [{}]",
            [
                "default deny ingress of \(all)", "default deny egress of \(all)",
                "egress[0]: allow \(all) to any on all",
            ]),
        .init(
            "policyTypes missing and egress empty: only ingress is closed", "podSelector: {}\negress: []",
            ["default deny ingress of \(all)"]),
        .init(
            "an empty list of policyTypes counts as missing", "podSelector: {}\npolicyTypes: []\negress: [{}]",
            [
                "default deny ingress of \(all)", "default deny egress of \(all)",
                "egress[0]: allow \(all) to any on all",
            ]),
        .init(
            "rules of a direction that policyTypes leaves out have no effect",
            "podSelector: {}\npolicyTypes: [Ingress]\negress: [{}]", ["default deny ingress of \(all)"]),
        .init(
            "an empty rule allows everything", "podSelector: {matchLabels: {app: web}}\ningress: [{}]",
            ["default deny ingress of \(web)", "ingress[0]: allow \(web) from any on all"]),
        .init(
            "an empty from allows everyone on the ports", "podSelector: {}\ningress: [{from: [], ports: [{port: 80}]}]",
            ["default deny ingress of \(all)", "ingress[0]: allow \(all) from any on tcp/80"]),
        .init(
            "an empty list of ports means all ports", "podSelector: {}\ningress: [{ports: []}]",
            ["default deny ingress of \(all)", "ingress[0]: allow \(all) from any on all"]),
        .init(
            "podSelector alone is the policy's namespace",
            "podSelector: {}\ningress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]",
            [
                "default deny ingress of \(all)",
                "ingress[0]: allow \(all) from \(namespace)=shop,any:app=web on all",
            ]),
        .init(
            "an empty podSelector is every pod of the namespace",
            "podSelector: {}\ningress: [{from: [{podSelector: {}}]}]",
            ["default deny ingress of \(all)", "ingress[0]: allow \(all) from \(namespace)=shop on all"]),
        .init(
            "an empty namespaceSelector is every pod anywhere, never the world",
            "podSelector: {}\ningress: [{from: [{namespaceSelector: {}}]}]",
            ["default deny ingress of \(all)", "ingress[0]: allow \(all) from \(namespace) on all"]),
        .init(
            "namespaceSelector matches labels of namespaces",
            "podSelector: {}\ningress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]",
            [
                "default deny ingress of \(all)",
                "ingress[0]: allow \(all) from \(namespaceLabel)team=a,\(namespace) on all",
            ]),
        .init(
            "the name label of a namespace is the namespace",
            "podSelector: {}\ningress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}]}]",
            ["default deny ingress of \(all)", "ingress[0]: allow \(all) from \(namespace)=b on all"]),
        .init(
            "NotIn on a namespace label matches workloads only",
            """
            podSelector: {}
            ingress:
            - from:
              - namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [a]}]}
            """,
            [
                "default deny ingress of \(all)",
                "ingress[0]: allow \(all) from \(namespaceLabel)team!=a,\(namespace) on all",
            ]),
        .init(
            "namespaceSelector and podSelector in one peer must both hold",
            """
            podSelector: {}
            ingress:
            - from:
              - namespaceSelector: {matchLabels: {team: a}}
                podSelector: {matchLabels: {app: web}}
            """,
            [
                "default deny ingress of \(all)",
                "ingress[0]: allow \(all) from \(namespaceLabel)team=a,\(namespace),any:app=web on all",
            ]),
        .init(
            "namespaceSelector and podSelector in two peers: either",
            """
            podSelector: {}
            ingress:
            - from:
              - namespaceSelector: {matchLabels: {team: a}}
              - podSelector: {matchLabels: {app: web}}
            """,
            [
                "default deny ingress of \(all)",
                "ingress[0]: allow \(all) from \(namespaceLabel)team=a,\(namespace) | \(namespace)=shop,any:app=web on all",
            ]),
        .init(
            "ipBlock with exceptions includes workloads",
            """
            podSelector: {}
            policyTypes: [Egress]
            egress:
            - to:
              - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}
              - ipBlock: {cidr: "2001:db8::/32"}
            """,
            [
                "default deny egress of \(all)",
                "egress[0]: allow \(all) to 10.0.0.0/8 except 10.1.0.0/16,10.2.0.0/16 with workloads"
                    + " | 2001:db8::/32 with workloads on all",
            ]),
        .init(
            "every operator",
            """
            podSelector:
              matchExpressions:
              - {key: a, operator: In, values: [x, "y"]}
              - {key: b, operator: NotIn, values: [x]}
              - {key: c, operator: Exists}
              - {key: d, operator: DoesNotExist, values: []}
            """,
            ["default deny ingress of \(all),any:a in (x,y),any:b!=x,any:c,!any:d"]),
        .init(
            "ports: number, range, name, whole protocol, default TCP",
            """
            podSelector: {}
            ingress:
            - ports:
              - {port: 80}
              - {port: 53, protocol: UDP}
              - {port: 1000, endPort: 2000, protocol: SCTP}
              - {port: http}
              - {protocol: UDP}
              - {}
              - {port: 9, endPort: 9}
            """,
            [
                "default deny ingress of \(all)",
                "ingress[0]: allow \(all) from any on tcp/80,udp/53,sctp/1000-2000,tcp/http,udp/*,tcp/*,tcp/9",
            ]),
        .init(
            "rules keep their order and number",
            "podSelector: {}\ningress: [{ports: [{port: 1}]}, {ports: [{port: 2}]}]",
            [
                "default deny ingress of \(all)", "ingress[0]: allow \(all) from any on tcp/1",
                "ingress[1]: allow \(all) from any on tcp/2",
            ]),
    ]

    @Test("lowers to", arguments: lowering)
    func lowers(row: LoweringCase) {
        #expect(lowered(networkPolicy(row.spec)) == row.expected)
        #expect(!read(networkPolicy(row.spec)).hasErrors)
    }

    static let refused: [FindingCase] = [
        .init("podSelector missing", "ingress: []", ["5:3 BH1103 spec"]),
        .init("podSelector without a value", "podSelector:", ["5:3 BH1104 spec.podSelector"]),
        .init("an unknown field of the spec", "podSelector: {}\nIngress: []", ["6:3 BH1102 spec.Ingress"]),
        .init("rules as a mapping", "podSelector: {}\ningress: {}", ["6:12 BH1101 spec.ingress"]),
        .init("a rule as a string", "podSelector: {}\ningress: [x]", ["6:13 BH1101 spec.ingress[0]"]),
        .init("`to` in an ingress rule", "podSelector: {}\ningress: [{to: []}]", ["6:14 BH1102 spec.ingress[0].to"]),
        .init("`from` in an egress rule", "podSelector: {}\negress: [{from: []}]", ["6:13 BH1102 spec.egress[0].from"]),
        .init("an unknown policy type", "podSelector: {}\npolicyTypes: [ingress]", ["6:17 BH1105 spec.policyTypes[0]"]),
        .init(
            "three policy types", "podSelector: {}\npolicyTypes: [Ingress, Egress, Ingress]",
            ["6:3 BH1310 spec.policyTypes"]),
        .init("a peer of nothing", "podSelector: {}\ningress: [{from: [{}]}]", ["6:21 BH1406 spec.ingress[0].from[0]"]),
        .init(
            "ipBlock with podSelector",
            "podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]",
            ["6:51 BH1401 spec.ingress[0].from[0].podSelector"]),
        .init(
            "an exception outside the block",
            "podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]",
            ["6:59 BH1302 spec.ingress[0].from[0].ipBlock.except[0]"]),
        .init(
            "an exception that is the whole block",
            "podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]",
            ["6:59 BH1302 spec.ingress[0].from[0].ipBlock.except[0]"]),
        .init(
            "the whole block with bits set outside it as an exception",
            "podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.2.3/8]}}]}]",
            [
                "6:59 BH1302 spec.ingress[0].from[0].ipBlock.except[0]",
                "6:59 BH2005 spec.ingress[0].from[0].ipBlock.except[0]",
            ]),
        .init(
            "a number that Kubernetes reads in base 8", "podSelector: {}\ningress: [{ports: [{port: 0120}]}]",
            ["6:29 BH1107 spec.ingress[0].ports[0].port"]),
        .init(
            "the end of a range that Kubernetes reads in base 8",
            "podSelector: {}\ningress: [{ports: [{port: 80, endPort: 0120}]}]",
            ["6:42 BH1107 spec.ingress[0].ports[0].endPort"]),
        .init(
            "a key that is no label key", "podSelector: {matchLabels: {-a: b}}",
            ["5:31 BH1304 spec.podSelector.matchLabels.-a"]),
        .init(
            "a key with a control character", "podSelector: {matchLabels: {\"a\\u0007\": b}}",
            ["5:31 BH1304 spec.podSelector.matchLabels.a\u{7}"]),
        .init(
            "a key of three parts", "podSelector: {matchLabels: {a/b/c: d}}",
            ["5:31 BH1304 spec.podSelector.matchLabels[\"a/b/c\"]"]),
        .init(
            "a value with a space", "podSelector: {matchLabels: {a: b c}}",
            ["5:34 BH1304 spec.podSelector.matchLabels.a"]),
        .init(
            "a value with a line feed", "podSelector: {matchExpressions: [{key: a, operator: In, values: [\"b\\n\"]}]}",
            ["5:68 BH1304 spec.podSelector.matchExpressions[0].values[0]"]),
        .init(
            "an exception of the other family",
            "podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [\"::/0\"]}}]}]",
            ["6:59 BH1302 spec.ingress[0].from[0].ipBlock.except[0]"]),
        .init(
            "a bare address as a block", "podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.1}}]}]",
            ["6:38 BH1301 spec.ingress[0].from[0].ipBlock.cidr"]),
        .init(
            "port 0", "podSelector: {}\ningress: [{ports: [{port: 0}]}]", ["6:29 BH1303 spec.ingress[0].ports[0].port"]),
        .init(
            "port 65536", "podSelector: {}\ningress: [{ports: [{port: 65536}]}]",
            ["6:29 BH1303 spec.ingress[0].ports[0].port"]),
        .init(
            "a number in quotes is a bad name", "podSelector: {}\ningress: [{ports: [{port: \"80\"}]}]",
            ["6:29 BH1303 spec.ingress[0].ports[0].port"]),
        .init(
            "a range that ends before it starts", "podSelector: {}\ningress: [{ports: [{port: 9, endPort: 8}]}]",
            ["6:41 BH1303 spec.ingress[0].ports[0].endPort"]),
        .init(
            "a range without a start", "podSelector: {}\ningress: [{ports: [{endPort: 8}]}]",
            ["6:23 BH1303 spec.ingress[0].ports[0].endPort"]),
        .init(
            "a range from a name", "podSelector: {}\ningress: [{ports: [{port: http, endPort: 8}]}]",
            ["6:35 BH1303 spec.ingress[0].ports[0].endPort"]),
        .init(
            "an unknown protocol", "podSelector: {}\ningress: [{ports: [{protocol: tcp}]}]",
            ["6:33 BH1307 spec.ingress[0].ports[0].protocol"]),
        .init(
            "a label value that is a number", "podSelector: {matchLabels: {tier: 1}}",
            ["5:37 BH1101 spec.podSelector.matchLabels.tier"]),
        .init(
            "a label value that is a boolean", "podSelector: {matchLabels: {on: true}}",
            ["5:35 BH1101 spec.podSelector.matchLabels.on"]),
        .init(
            "an unknown operator", "podSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}",
            ["5:55 BH1304 spec.podSelector.matchExpressions[0].operator"]),
        .init(
            "In without values", "podSelector: {matchExpressions: [{key: a, operator: In}]}",
            ["5:36 BH1304 spec.podSelector.matchExpressions[0]"]),
        .init(
            "Exists with values", "podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
            ["5:63 BH1304 spec.podSelector.matchExpressions[0].values"]),
        .init(
            "a label source in a key", "podSelector: {matchLabels: {\"k8s:app\": web}}",
            ["5:31 BH1304 spec.podSelector.matchLabels.k8s:app"]),
        .init(
            "all errors of a document at once",
            "podSelector: {matchLabels: {a: 1}}\ningress: [{ports: [{port: 0}], from: [{ipBlock: {cidr: x}}]}]\nfoo: 1",
            [
                "5:34 BH1101 spec.podSelector.matchLabels.a", "6:29 BH1303 spec.ingress[0].ports[0].port",
                "6:58 BH1301 spec.ingress[0].from[0].ipBlock.cidr", "7:3 BH1102 spec.foo",
            ]),
    ]

    @Test("refuses", arguments: refused)
    func refuses(row: FindingCase) {
        #expect(findings(networkPolicy(row.spec)) == row.expected)
        #expect(read(networkPolicy(row.spec)).policies.isEmpty)
    }

    static let warned: [FindingCase] = [
        .init(
            "rules for a direction that policyTypes leaves out",
            "podSelector: {}\npolicyTypes: [Ingress]\negress: [{}]",
            ["7:3 BH2004 spec.egress"]),
        .init("an empty from", "podSelector: {}\ningress: [{from: []}]", ["6:14 BH2012 spec.ingress[0].from"]),
        .init(
            "bits outside the prefix", "podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.1/8}}]}]",
            ["6:38 BH2005 spec.ingress[0].from[0].ipBlock.cidr"]),
    ]

    @Test("accepts with a warning", arguments: warned)
    func warns(row: FindingCase) {
        #expect(findings(networkPolicy(row.spec)) == row.expected)
        #expect(read(networkPolicy(row.spec)).policies.count == 1)
    }

    @Test("ipBlock leaves workloads out when told so")
    func honoursIPBlockOption() {
        let text = networkPolicy("podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]")
        let set = read(text, options: .init(ipBlockMatchesWorkloads: false))
        #expect(set.policies.first?.rules.first?.peers.description == "10.0.0.0/8")
    }
}
