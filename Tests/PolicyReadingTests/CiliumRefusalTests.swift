// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

private func ingress(_ rule: String) -> String { "endpointSelector: {}\ningress:\n- \(rule)" }
private func egress(_ rule: String) -> String { "endpointSelector: {}\negress:\n- \(rule)" }

@Suite struct CiliumRefusalTests {
    static let invalid: [FindingCase] = [
        .init("no section at all", "endpointSelector: {}", ["5:3 BH1403 spec"]),
        .init("only an empty section", "endpointSelector: {}\ningress: []", ["6:3 BH1403 spec.ingress"]),
        .init(
            "empty sections with enableDefaultDeny",
            "endpointSelector: {}\nenableDefaultDeny: {ingress: true}\ningress: []\negress: []",
            ["7:3 BH1403 spec.ingress"]),
        .init("a section without a value", "endpointSelector: {}\ningress:", ["6:3 BH1104 spec.ingress"]),
        .init("no subject", "ingress: [{}]", ["5:3 BH1404 spec", "5:13 BH2001 spec.ingress[0]"]),
        .init(
            "two subjects", "endpointSelector: {}\nnodeSelector: {}\ningress: [{}]",
            ["6:3 BH1404 spec.nodeSelector", "7:13 BH2001 spec.ingress[0]"]),
        .init(
            "nodeSelector in a namespaced policy", "nodeSelector: {}\ningress: [{fromEntities: [all]}]",
            ["5:3 BH1405 spec.nodeSelector"]),
        .init(
            "two kinds of peer", ingress("{fromEndpoints: [{matchLabels: {a: b}}], fromCIDR: [10.0.0.0/8]}"),
            ["7:46 BH1401 spec.ingress[0].fromCIDR"]),
        .init(
            "three kinds of peer",
            ingress("{fromCIDR: [10.0.0.0/8], fromCIDRSet: [{cidr: 11.0.0.0/8}], fromEntities: [all]}"),
            ["7:30 BH1401 spec.ingress[0].fromCIDRSet", "7:65 BH1401 spec.ingress[0].fromEntities"]),
        .init(
            "icmps and toPorts", ingress("{toPorts: [{ports: [{port: \"1\"}]}], icmps: [{fields: [{type: 8}]}]}"),
            ["7:41 BH1402 spec.ingress[0].icmps"]),
        .init("a peer field without a value", ingress("fromEndpoints:"), ["7:5 BH1104 spec.ingress[0].fromEndpoints"]),
        .init(
            "a misspelt field", ingress("fromEndpoint: [{}]"), ["7:5 BH1102 spec.ingress[0].fromEndpoint"]),
        .init("`to` in ingress", ingress("toEndpoints: [{}]"), ["7:5 BH1102 spec.ingress[0].toEndpoints"]),
        .init("`from` in egress", egress("fromEntities: [all]"), ["7:5 BH1102 spec.egress[0].fromEntities"]),
        .init(
            "podSelector", "podSelector: {}\ningress: [{}]",
            ["5:3 BH1102 spec.podSelector", "5:3 BH1404 spec", "6:13 BH2001 spec.ingress[0]"]),
        .init("an unknown entity", ingress("fromEntities: [wrold]"), ["7:20 BH1305 spec.ingress[0].fromEntities[0]"]),
        .init("a wrong prefix", ingress("fromCIDR: [10.0.0.0/40]"), ["7:16 BH1301 spec.ingress[0].fromCIDR[0]"]),
        .init(
            "a bare address in a set", ingress("fromCIDRSet: [{cidr: 10.0.0.1}]"),
            ["7:26 BH1301 spec.ingress[0].fromCIDRSet[0].cidr"]),
        .init(
            "a set without cidr", ingress("fromCIDRSet: [{except: []}]"), ["7:19 BH1103 spec.ingress[0].fromCIDRSet[0]"]
        ),
        .init(
            "an exception outside", ingress("fromCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/8]}]"),
            ["7:47 BH1302 spec.ingress[0].fromCIDRSet[0].except[0]"]),
        .init(
            "an exception that is wider than its prefix",
            ingress("fromCIDRSet: [{cidr: 10.0.0.0/8, except: [8.0.0.0/6]}]"),
            ["7:47 BH1302 spec.ingress[0].fromCIDRSet[0].except[0]"]),
        .init(
            "an ICMP type that Kubernetes reads in base 8", ingress("icmps: [{fields: [{type: 010}]}]"),
            ["7:30 BH1107 spec.ingress[0].icmps[0].fields[0].type"]),
        .init(
            "a value that no label of Kubernetes has", ingress("fromEndpoints: [{matchLabels: {\"k8s:a\": \"b c\"}}]"),
            ["7:45 BH1304 spec.ingress[0].fromEndpoints[0].matchLabels.k8s:a"]),
        .init(
            "a control character in a container's label",
            ingress("fromEndpoints: [{matchLabels: {\"container:a\": \"b\\t\"}}]"),
            ["7:51 BH1304 spec.ingress[0].fromEndpoints[0].matchLabels.container:a"]),
        .init(
            "a port without quotes", ingress("toPorts: [{ports: [{port: 80}]}]"),
            ["7:31 BH1101 spec.ingress[0].toPorts[0].ports[0].port"]),
        .init(
            "a port too large", ingress("toPorts: [{ports: [{port: \"65536\"}]}]"),
            ["7:31 BH1303 spec.ingress[0].toPorts[0].ports[0].port"]),
        .init(
            "a port with a leading zero", ingress("toPorts: [{ports: [{port: \"080\"}]}]"),
            ["7:31 BH1303 spec.ingress[0].toPorts[0].ports[0].port"]),
        .init(
            "a bad port name", ingress("toPorts: [{ports: [{port: \"a--b\"}]}]"),
            ["7:31 BH1303 spec.ingress[0].toPorts[0].ports[0].port"]),
        .init(
            "an empty port", ingress("toPorts: [{ports: [{port: \"\"}]}]"),
            ["7:31 BH1303 spec.ingress[0].toPorts[0].ports[0].port"]),
        .init(
            "a missing port", ingress("toPorts: [{ports: [{protocol: TCP}]}]"),
            ["7:24 BH1103 spec.ingress[0].toPorts[0].ports[0]"]),
        .init(
            "port 0 with endPort", ingress("toPorts: [{ports: [{port: \"0\", endPort: 9}]}]"),
            ["7:45 BH1303 spec.ingress[0].toPorts[0].ports[0].endPort"]),
        .init(
            "endPort as a string", ingress("toPorts: [{ports: [{port: \"1\", endPort: \"9\"}]}]"),
            ["7:45 BH1101 spec.ingress[0].toPorts[0].ports[0].endPort"]),
        .init(
            "endPort too large", ingress("toPorts: [{ports: [{port: \"1\", endPort: 70000}]}]"),
            ["7:45 BH1303 spec.ingress[0].toPorts[0].ports[0].endPort"]),
        .init(
            "an unknown protocol", ingress("toPorts: [{ports: [{port: \"1\", protocol: TPC}]}]"),
            ["7:46 BH1307 spec.ingress[0].toPorts[0].ports[0].protocol"]),
        .init(
            "ICMP as a protocol", ingress("toPorts: [{ports: [{port: \"1\", protocol: ICMP}]}]"),
            ["7:46 BH1307 spec.ingress[0].toPorts[0].ports[0].protocol"]),
        .init(
            "an ICMP type too large", ingress("icmps: [{fields: [{type: 256}]}]"),
            ["7:30 BH1306 spec.ingress[0].icmps[0].fields[0].type"]),
        .init(
            "a name of the other family", ingress("icmps: [{fields: [{type: PacketTooBig}]}]"),
            ["7:30 BH1306 spec.ingress[0].icmps[0].fields[0].type"]),
        .init(
            "an unknown family", ingress("icmps: [{fields: [{type: 8, family: ipv4}]}]"),
            ["7:41 BH1105 spec.ingress[0].icmps[0].fields[0].family"]),
        .init(
            "an ICMP type in quotes", ingress("icmps: [{fields: [{type: \"8\"}]}]"),
            ["7:30 BH1306 spec.ingress[0].icmps[0].fields[0].type"]),
        .init(
            "an ICMP element without type", ingress("icmps: [{fields: [{family: IPv6}]}]"),
            ["7:23 BH1103 spec.ingress[0].icmps[0].fields[0]"]),
        .init(
            "an unknown label source", ingress("fromEndpoints: [{matchLabels: {\"k8:a\": b}}]"),
            ["7:36 BH1304 spec.ingress[0].fromEndpoints[0].matchLabels.k8:a"]),
        .init(
            "a source without a key", ingress("fromEndpoints: [{matchLabels: {\"k8s:\": b}}]"),
            ["7:36 BH1304 spec.ingress[0].fromEndpoints[0].matchLabels.k8s:"]),
        .init(
            "enableDefaultDeny as a boolean",
            "endpointSelector: {}\nenableDefaultDeny: true\ningress: [{fromEntities: [all]}]",
            ["6:22 BH1101 spec.enableDefaultDeny"]),
    ]

    @Test("refuses what is wrong", arguments: invalid)
    func refusesInvalid(row: FindingCase) {
        #expect(findings(ciliumPolicy(row.spec)) == row.expected)
        #expect(read(ciliumPolicy(row.spec)).policies.isEmpty)
    }

    static let unsupported: [FindingCase] = [
        .init(
            "HTTP rules", ingress("toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: {http: [{}]}}]"),
            ["7:54 BH1501 spec.ingress[0].toPorts[0].rules"]),
        .init(
            "DNS rules",
            egress(
                "toPorts: [{ports: [{port: \"53\", protocol: UDP}], rules: {dns: [{matchPattern: \"*.example.org\"}]}}]"
            ),
            ["7:54 BH1501 spec.egress[0].toPorts[0].rules"]),
        .init(
            "L7 rules in deny",
            "endpointSelector: {}\ningressDeny:\n- toPorts: [{ports: [{port: \"80\"}], rules: {http: [{}]}}]\ningress: [{fromEntities: [all]}]",
            ["7:39 BH1501 spec.ingressDeny[0].toPorts[0].rules"]),
        .init(
            "toFQDNs", egress("toFQDNs: [{matchPattern: \"\(String(repeating: "a", count: 63)).*.example.org\"}]"),
            ["7:30 BH1502 spec.egress[0].toFQDNs[0].matchPattern"]),
        .init(
            "the service of the API server",
            egress("toServices: [{k8sService: {serviceName: kubernetes, namespace: default}}]"),
            ["7:45 BH1503 spec.egress[0].toServices[0].k8sService.serviceName"]),
        .init(
            "a service by name and by labels",
            egress("toServices: [{k8sService: {serviceName: a}, k8sServiceSelector: {selector: {}}}]"),
            ["7:49 BH1401 spec.egress[0].toServices[0].k8sServiceSelector"]),
        .init("no service", egress("toServices: [{}]"), ["7:18 BH1103 spec.egress[0].toServices[0]"]),
        .init("toGroups", egress("toGroups: [{aws: {}}]"), ["7:5 BH1505 spec.egress[0].toGroups"]),
        .init(
            "two kinds of prefixes", ingress("fromCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: a}]"),
            ["7:38 BH1401 spec.ingress[0].fromCIDRSet[0].cidrGroupRef"]),
        .init(
            "authentication", ingress("{fromEntities: [all], authentication: {mode: required}}"),
            ["7:50 BH1507 spec.ingress[0].authentication.mode"]),
        .init(
            "serverNames", egress("toPorts: [{ports: [{port: \"443\"}], serverNames: [a]}]"),
            ["7:40 BH1508 spec.egress[0].toPorts[0].serverNames"]),
        .init(
            "listener",
            egress(
                "toPorts: [{ports: [{port: \"443\"}], listener: {name: a, priority: 100, "
                    + "envoyConfig: {kind: CiliumEnvoyConfig, name: b}}}]"),
            ["7:40 BH1508 spec.egress[0].toPorts[0].listener"]),
        .init("fromRequires", ingress("fromRequires: [{}]"), ["7:5 BH1509 spec.ingress[0].fromRequires"]),
        .init(
            "extended protocols", ingress("toPorts: [{ports: [{port: \"0\", protocol: GRE}]}]"),
            ["7:46 BH1510 spec.ingress[0].toPorts[0].ports[0].protocol"]),
        .init("cluster-mesh", ingress("fromEntities: [cluster-mesh]"), ["7:20 BH1511 spec.ingress[0].fromEntities[0]"]),
        .init(
            "labels of nodes", ingress("fromEndpoints: [{matchLabels: {\"node:a\": b}}]"),
            ["7:36 BH1512 spec.ingress[0].fromEndpoints[0].matchLabels.node:a"]),
    ]

    @Test("refuses what is not supported yet, and says so", arguments: unsupported)
    func refusesUnsupported(row: FindingCase) {
        #expect(findings(ciliumPolicy(row.spec)) == row.expected)
        let set = read(ciliumPolicy(row.spec))
        #expect(set.policies.isEmpty)
        #expect(set.diagnostics.allSatisfy { $0.remedy != nil })
    }

    static let warned: [FindingCase] = [
        .init("an empty element alone: a note", ingress("{}"), ["7:5 BH2001 spec.ingress[0]"]),
        .init("an empty element beside another", ingress("{}\n- fromEntities: [all]"), ["7:5 BH2001 spec.ingress[0]"]),
        .init(
            "an empty deny element", "endpointSelector: {}\ningressDeny:\n- {}\ningress: [{fromEntities: [all]}]",
            ["7:5 BH2001 spec.ingressDeny[0]"]),
        .init("types of ICMP left out", ingress("icmps: [{}]"), ["7:13 BH2007 spec.ingress[0].icmps[0]"]),
        .init("an empty selector", ingress("fromEndpoints: [{}]"), ["7:21 BH2002 spec.ingress[0].fromEndpoints[0]"]),
        .init(
            "a foreign namespace of the subject",
            "endpointSelector: {matchLabels: {\"k8s:io.kubernetes.pod.namespace\": x}}\ningress: [{fromEntities: [all]}]",
            ["5:21 BH2003 spec.endpointSelector"]),
        .init("an empty list of peers", ingress("fromCIDR: []"), ["7:5 BH2007 spec.ingress[0].fromCIDR"]),
        .init(
            "an element of toPorts without ports", ingress("toPorts: [{}]"), ["7:15 BH2007 spec.ingress[0].toPorts[0]"]),
        .init(
            "an end before the start", ingress("toPorts: [{ports: [{port: \"9\", endPort: 8}]}]"),
            ["7:45 BH2008 spec.ingress[0].toPorts[0].ports[0].endPort"]),
        .init(
            "an end of a name", ingress("toPorts: [{ports: [{port: web, endPort: 8}]}]"),
            ["7:45 BH2008 spec.ingress[0].toPorts[0].ports[0].endPort"]),
        .init(
            "enableDefaultDeny without entries",
            "endpointSelector: {}\nenableDefaultDeny: {egress: true}\ningress: [{fromEntities: [all]}]",
            ["6:31 BH2009 spec.enableDefaultDeny.egress"]),
        .init(
            "log", "endpointSelector: {}\nlog: {value: x}\ningress: [{fromEntities: [all]}]",
            ["6:16 BH2010 spec.log.value"]),
        .init(
            "deny only", "endpointSelector: {}\ningressDeny: [{fromEntities: [world]}]", ["6:3 BH2011 spec.ingressDeny"]
        ),
        .init(
            "deny only with enableDefaultDeny said: nothing to tell",
            "endpointSelector: {}\nenableDefaultDeny: {ingress: true}\ningressDeny: [{fromEntities: [world]}]", []),
        .init(
            "bits outside the prefix", ingress("fromCIDR: [10.0.0.1/8]"), ["7:16 BH2005 spec.ingress[0].fromCIDR[0]"]),
    ]

    @Test("accepts with a warning or a note", arguments: warned)
    func warns(row: FindingCase) {
        #expect(findings(ciliumPolicy(row.spec)) == row.expected)
        #expect(read(ciliumPolicy(row.spec)).policies.count == 1)
    }

    @Test(
        "suggests what was probably meant",
        arguments: [
            (ingress("fromEndpoint: [{}]"), "did you mean `fromEndpoints`?"),
            (ingress("fromEntities: [wrold]"), "did you mean `world`?"),
            (ingress("toPorts: [{port: \"80\"}]"), "did you mean `ports`?"),
            (ingress("toPorts: [{ports: [{port: 80}]}]"), "quote it: \"80\""),
            (ingress("icmps: [{fields: [{type: EchoReqest}]}]"), "did you mean `EchoRequest`?"),
            (ingress("fromCIDRSet: [{cidr: 10.0.0.1}]"), "write 10.0.0.1/32"),
            (ingress("toEndpoints: [{}]"), "write fromEndpoints"),
            ("endpointSelector: {}\ningress: []", "write `ingress: [{}]` to deny ingress by default"),
        ])
    func suggests(spec: String, remedy: String) {
        #expect(read(ciliumPolicy(spec)).diagnostics.first?.remedy == remedy)
    }
}
