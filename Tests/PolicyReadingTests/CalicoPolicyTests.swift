// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

/// A Calico document named `p` with this text as its spec, from line 5, indented by two.
private func document(_ kind: String, _ spec: String, metadata: String = "{name: p}") -> String {
    let lines = spec.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
    return """
        apiVersion: projectcalico.org/v3
        kind: \(kind)
        metadata: \(metadata)
        spec:
        \(lines.joined(separator: "\n"))

        """
}

private func global(_ spec: String) -> String { document("GlobalNetworkPolicy", spec) }
private func namespaced(_ spec: String) -> String {
    document("NetworkPolicy", spec, metadata: "{name: p, namespace: shop}")
}

private let shop = "k8s:io.kubernetes.pod.namespace=shop"
private let isSet = "calico:network:set"
private let anyNamespace = "k8s:io.kubernetes.pod.namespace"
private func service(_ namespace: String) -> String {
    "service:io.kubernetes.service.name=a,service:io.kubernetes.service.namespace=\(namespace)"
}

@Suite struct CalicoPolicyTests {
    @Test(arguments: [
        LoweringCase(
            "a namespaced policy stays in its namespace, and so do its peers",
            namespaced(
                """
                order: 10.5
                selector: role == 'db'
                ingress:
                  - action: Allow
                    protocol: TCP
                    source: {selector: role == 'api'}
                    destination: {ports: [5432, "6000:6010", metrics]}
                  - action: Deny
                """),
            [
                "default tier, order 10.5",
                "default deny ingress of endpoints \(shop),any:role=db",
                "ingress[0]: allow endpoints \(shop),any:role=db from \(shop),any:role=api | "
                    + "prefixes of \(shop),any:role=api,\(isSet) on tcp/5432,tcp/6000-6010,tcp/metrics",
                "ingress[1]: deny endpoints \(shop),any:role=db from any on all",
            ]),
        LoweringCase(
            "a service is whoever is behind it, where traffic is sent to it on its own ports",
            namespaced(
                """
                selector: role == 'db'
                ingress:
                  - {action: Allow, protocol: TCP, source: {services: {name: a}}, destination: {ports: [80]}}
                egress:
                  - {action: Allow, destination: {services: {name: a, namespace: x}}}
                  - {action: Deny, protocol: UDP, ipVersion: 4, destination: {services: {name: a}}}
                  - {action: Allow, notProtocol: TCP, destination: {services: {name: a}}}
                """),
            [
                "default tier, no order",
                "default deny ingress of endpoints \(shop),any:role=db",
                "default deny egress of endpoints \(shop),any:role=db",
                "ingress[0]: allow endpoints \(shop),any:role=db from prefixes of \(service("shop")) on tcp/80",
                "egress[0]: allow endpoints \(shop),any:role=db to prefixes of \(service("x")) on "
                    + "ports of \(service("x"))",
                "egress[1]: deny endpoints \(shop),any:role=db to (prefixes of \(service("shop")) in 0.0.0.0/0) on "
                    + "udp ports of \(service("shop"))",
                "egress[2]: allow endpoints \(shop),any:role=db to prefixes of \(service("shop")) on "
                    + "udp ports of \(service("shop")),sctp ports of \(service("shop"))",
            ]),
        LoweringCase(
            "every workload is managed by Kubernetes, and nobody else is",
            global(
                """
                selector: projectcalico.org/orchestrator == 'k8s'
                types: [Ingress]
                ingress:
                  - {action: Allow, source: {selector: "projectcalico.org/orchestrator == 'nomad'"}}
                """),
            [
                "default tier, no order",
                "default deny ingress of endpoints \(anyNamespace),!\(isSet)",
                "ingress[0]: allow endpoints \(anyNamespace),!\(isSet) from nothing on all",
            ]),
        LoweringCase(
            "a global policy is about workloads and hosts, with a namespace selector about workloads",
            global("selector: has(role)\ntypes: [Egress]\negress: [{action: Pass}]"),
            [
                "default tier, no order",
                "default deny egress of endpoints any:role,\(anyNamespace)",
                "default deny egress of hosts any:role",
                "egress[0]: pass endpoints any:role,\(anyNamespace) to any on all",
                "egress[0]: pass hosts any:role to any on all",
            ]),
        LoweringCase(
            "namespaces by label and by name",
            global(
                """
                namespaceSelector: team == 'a'
                ingress:
                  - {action: Allow, source: {namespaceSelector: "projectcalico.org/name == 'ops'"}}
                  - {action: Allow, source: {namespaceSelector: global()}}
                """),
            [
                "default tier, no order",
                "default deny ingress of endpoints k8s:io.cilium.k8s.namespace.labels.team=a,\(anyNamespace)",
                "ingress[0]: allow endpoints k8s:io.cilium.k8s.namespace.labels.team=a,\(anyNamespace) from "
                    + "\(anyNamespace)=ops | prefixes of \(anyNamespace)=ops,\(isSet) on all",
                "ingress[1]: allow endpoints k8s:io.cilium.k8s.namespace.labels.team=a,\(anyNamespace) from "
                    + "!\(anyNamespace),reserved:host | prefixes of !\(anyNamespace),\(isSet) on all",
            ]),
        LoweringCase(
            "nets, not nets, not ports and not ICMP are complements",
            namespaced(
                """
                types: [Egress]
                egress:
                  - action: Allow
                    protocol: UDP
                    destination: {nets: [10.0.0.0/8, 192.0.2.1], notNets: [10.1.0.0/16, 192.0.2.0/24], notPorts: [53, "100:200"]}
                  - {action: Deny, protocol: ICMP, notICMP: {type: 8}}
                  - {action: Allow, protocol: ICMPv6, icmp: {type: 1, code: 4}}
                  - {action: Deny, ipVersion: 6, destination: {notNets: [10.0.0.0/8, "fd00::/8"]}}
                """),
            [
                "default tier, no order",
                "default deny egress of endpoints \(shop)",
                "egress[0]: allow endpoints \(shop) to 10.0.0.0/8 except 10.1.0.0/16 with workloads on "
                    + "udp/0-52,udp/54-99,udp/201-65535",
                "egress[1]: deny endpoints \(shop) to any on icmp/0-7,icmp/9-255",
                "egress[2]: allow endpoints \(shop) to any on icmpv6/1:4",
                "egress[3]: deny endpoints \(shop) to ::/0 except fd00::/8 with workloads on all",
            ]),
        LoweringCase(
            "names of ports among what is left out are each destination's own",
            namespaced(
                """
                types: [Ingress, Egress]
                ingress:
                  - {action: Allow, protocol: TCP, destination: {notPorts: [metrics]}}
                egress:
                  - {action: Allow, protocol: TCP, destination: {notPorts: [metrics, 22]}}
                  - {action: Deny, protocol: TCP, destination: {selector: a == '1', ports: [http, "80:90"], notPorts: [81]}}
                """),
            [
                "default tier, no order",
                "default deny ingress of endpoints \(shop)",
                "default deny egress of endpoints \(shop)",
                "ingress[0]: allow endpoints \(shop) from any on tcp/* without tcp/metrics",
                "egress[0]: allow endpoints \(shop) to * on tcp/* without tcp/22+tcp/metrics",
                "egress[1]: deny endpoints \(shop) to \(shop),any:a=1 | prefixes of \(shop),any:a=1,\(isSet) on "
                    + "tcp/80-90+tcp/http without tcp/81",
            ]),
        LoweringCase(
            "selectors narrowed by nets and by not selector",
            global(
                """
                namespaceSelector: all()
                ingress:
                  - {action: Allow, source: {namespaceSelector: all(), selector: a == '1', nets: [10.0.0.0/8], notNets: [10.9.0.0/16]}}
                  - {action: Deny, source: {notSelector: b == '2'}}
                """),
            [
                "default tier, no order",
                "default deny ingress of endpoints \(anyNamespace)",
                "ingress[0]: allow endpoints \(anyNamespace) from "
                    + "(\(anyNamespace),any:a=1 in 10.0.0.0/8, not in 10.9.0.0/16) | "
                    + "(prefixes of \(anyNamespace),any:a=1,\(isSet) in 10.0.0.0/8, not in 10.9.0.0/16) on all",
                "ingress[1]: deny endpoints \(anyNamespace) from (* not any:b=2,\(anyNamespace), "
                    + "not any:b=2,reserved:host, not in prefixes of any:b=2,\(isSet)) on all",
            ]),
        LoweringCase(
            "labels of accounts are those of the endpoint with a prefix; notSelector alone stays in the namespace",
            namespaced(
                """
                serviceAccountSelector: role == 'r' && projectcalico.org/name == 'n'
                ingress:
                  - {action: Allow, source: {serviceAccounts: {names: [ci], selector: has(x)}}}
                  - {action: Allow, source: {notSelector: b == '2'}}
                """),
            [
                "default tier, no order",
                "default deny ingress of endpoints \(shop),any:pcsa.role=r,"
                    + "any:io.cilium.k8s.policy.serviceaccount=n",
                "ingress[0]: allow endpoints \(shop),any:pcsa.role=r,any:io.cilium.k8s.policy.serviceaccount=n from "
                    + "\(shop),any:pcsa.x,any:io.cilium.k8s.policy.serviceaccount=ci | "
                    + "prefixes of \(shop),any:pcsa.x,any:io.cilium.k8s.policy.serviceaccount=ci,\(isSet) on all",
                "ingress[1]: allow endpoints \(shop),any:pcsa.role=r,any:io.cilium.k8s.policy.serviceaccount=n from "
                    + "(\(shop) not any:b=2,\(anyNamespace), not any:b=2,reserved:host, not in prefixes of any:b=2,\(isSet)) | "
                    + "(prefixes of \(shop),\(isSet) not any:b=2,\(anyNamespace), not any:b=2,reserved:host, "
                    + "not in prefixes of any:b=2,\(isSet)) on all",
            ]),
        LoweringCase(
            "the own end narrows the subject, accounts are a label, tiers are named",
            namespaced(
                """
                tier: security
                order: 5
                selector: app == 'x'
                ingress:
                  - {action: Allow, source: {serviceAccounts: {names: [ci]}}, destination: {selector: zone != 'b'}}
                """),
            [
                "security tier, order 5",
                "default deny ingress of endpoints \(shop),any:app=x",
                "ingress[0]: allow endpoints \(shop),any:app=x,any:zone!=b from "
                    + "\(shop),any:io.cilium.k8s.policy.serviceaccount=ci | "
                    + "prefixes of \(shop),any:io.cilium.k8s.policy.serviceaccount=ci,\(isSet) on all",
            ]),
        LoweringCase(
            "what applies on forward speaks for what passes through hosts too",
            global("selector: a == 'x'\napplyOnForward: true\ningress: [{action: Allow}]"),
            [
                "default tier, no order",
                "default deny ingress of endpoints any:a=x,\(anyNamespace)",
                "default deny ingress of hosts any:a=x",
                "default deny ingress of forward of hosts any:a=x",
                "ingress[0]: allow endpoints any:a=x,\(anyNamespace) from any on all",
                "ingress[0]: allow hosts any:a=x from any on all",
                "ingress[0]: allow forward of hosts any:a=x from any on all",
            ]),
        LoweringCase(
            "what is before translation speaks for hosts alone, in a tier before all others, and closes nothing",
            global("order: 5\nselector: a == 'x'\napplyOnForward: true\npreDNAT: true\ningress: [{action: Deny}]"),
            [
                "preDNAT tier, order 5",
                "ingress[0]: deny hosts any:a=x from any on all",
                "ingress[0]: deny forward of hosts any:a=x from any on all",
            ]),
        LoweringCase(
            "what is without flows speaks for hosts at a stage of its own, in its tier, and closes nothing",
            global("order: 5\nselector: a == 'x'\napplyOnForward: true\ndoNotTrack: true\ningress: [{action: Deny}]"),
            [
                "default tier, order 5",
                "ingress[0]: deny untracked of hosts any:a=x from any on all",
            ]),
        LoweringCase(
            "types by default: what has rules, and ingress if nothing has",
            global("namespaceSelector: all()\negress: [{action: Allow}]"),
            [
                "default tier, no order",
                "default deny egress of endpoints \(anyNamespace)",
                "egress[0]: allow endpoints \(anyNamespace) to any on all",
            ]),
        LoweringCase(
            "every namespace has a name, and who is in none is asked for by global() alone",
            global("namespaceSelector: \"!has(kubernetes.io/metadata.name)\""), []),
        LoweringCase(
            "an empty list of rules is none: ingress is denied",
            global("namespaceSelector: all()\negress: []"),
            ["default tier, no order", "default deny ingress of endpoints \(anyNamespace)"]),
    ])
    func `lowers to rules in order that close their tier`(row: LoweringCase) throws {
        let set = read(row.spec)
        // A rule about whom nobody is left to mean is told.
        #expect(set.diagnostics.filter { $0.code != .selectsNothing }.map(\.description) == [])
        #expect(lowered(row.spec) == row.expected)
    }

    @Test func `is told apart from the policy of Kubernetes of the same kind and name`() {
        let both = namespaced("selector: all()") + "---\n" + networkPolicy("podSelector: {}")
        #expect(read(both).policies.map(\.reference.text) == ["CalicoNetworkPolicy/shop/p", "NetworkPolicy/shop/p"])
        #expect(
            findings(both.replacing("projectcalico.org/v3", with: "crd.projectcalico.org/v1")) == [
                "1:13 BH1201 apiVersion"
            ])
    }

    @Test func `a Log rule says nothing and is warned about`() {
        let text = namespaced("ingress: [{action: Log}, {action: Allow}]")
        #expect(findings(text) == ["5:22 BH2010 spec.ingress[0].action"])
        #expect(read(text).policies.first?.rules.map(\.origin.index) == [1])
    }

    @Test(arguments: [
        (global("selector: role = 'db'"), ["5:18 BH1304 spec.selector"]),
        (global("selector: \"role = 'db'\""), ["5:19 BH1304 spec.selector"]),
        (global("selector: 'role == ''db'"), ["5:13 BH1304 spec.selector"]),
        (global("selector: has(projectcalico.org/hostendpoint)"), ["5:17 BH1512 spec.selector"]),
        (namespaced("namespaceSelector: all()"), ["5:3 BH1102 spec.namespaceSelector"]),
        (namespaced("preDNAT: true"), ["5:3 BH1102 spec.preDNAT"]),
        (namespaced("applyOnForward: true"), ["5:3 BH1102 spec.applyOnForward"]),
        (namespaced("doNotTrack: true"), ["5:3 BH1102 spec.doNotTrack"]),
        (
            global(
                "applyOnForward: true\ndoNotTrack: true\n"
                    + "egress: [{action: Allow, destination: {domains: [a.test]}}]"),
            ["7:41 BH1502 spec.egress[0].destination"]
        ),
        (
            global("applyOnForward: true\negress: [{action: Allow, destination: {domains: [a.test]}}]"),
            ["6:41 BH1502 spec.egress[0].destination"]
        ),
        (global("order: .inf"), ["5:10 BH1101 spec.order"]),
        (global("tier: adminnetworkpolicy"), ["5:9 BH1312 spec.tier"]),
        (global("types: [Ingres]"), ["5:11 BH1105 spec.types[0]"]),
        (global("types: [Egress]\ningress: [{action: Allow}]"), ["6:3 BH2004 spec.ingress"]),
        (
            global("serviceAccountSelector: projectcalico.org/namespace == 'x'"),
            ["5:27 BH1512 spec.serviceAccountSelector"]
        ),
        (global("ingress: [{}]"), ["5:13 BH1103 spec.ingress[0]"]),
        (global("ingress: [{action: allow}]"), ["5:22 BH1105 spec.ingress[0].action"]),
        (global("ingress: [{action: Allow, source: {ports: [1]}}]"), ["5:38 BH1513 spec.ingress[0].source.ports"]),
        (
            global("egress: [{action: Allow, source: {nets: [10.0.0.0/8]}}]"),
            ["5:37 BH1513 spec.egress[0].source.nets"]
        ),
        (
            global("ingress: [{action: Allow, destination: {ports: [80]}}]"),
            ["5:43 BH1402 spec.ingress[0].destination.ports"]
        ),
        (
            global("ingress: [{action: Allow, protocol: TCP, destination: {ports: [0, \"9:8\", 70000]}}]"),
            [
                "5:66 BH1303 spec.ingress[0].destination.ports[0]", "5:69 BH1303 spec.ingress[0].destination.ports[1]",
                "5:76 BH1303 spec.ingress[0].destination.ports[2]",
            ]
        ),
        (
            global("ingress: [{action: Allow, protocol: TCP, destination: {notPorts: [web, a_b, 0]}}]"),
            [
                "5:74 BH1303 spec.ingress[0].destination.notPorts[1]",
                "5:79 BH1303 spec.ingress[0].destination.notPorts[2]",
            ]
        ),
        (global("ingress: [{action: Allow, icmp: {type: 8}}]"), ["5:29 BH1402 spec.ingress[0].icmp"]),
        (
            global("ingress: [{action: Allow, protocol: ICMP, icmp: {type: 255}}]"),
            ["5:58 BH1306 spec.ingress[0].icmp.type"]
        ),
        (
            global("ingress: [{action: Allow, protocol: ICMP, icmp: {code: 1}}]"),
            ["5:52 BH1306 spec.ingress[0].icmp.code"]
        ),
        (
            global("ingress: [{action: Allow, protocol: ICMP, icmp: {type: 8, code: 1}}]"),
            ["5:67 BH1306 spec.ingress[0].icmp.code"]
        ),
        (
            global("ingress: [{action: Allow, protocol: ICMP, ipVersion: 6}]"),
            ["5:39 BH1307 spec.ingress[0].protocol"]
        ),
        (global("ingress: [{action: Allow, ipVersion: 5}]"), ["5:40 BH1105 spec.ingress[0].ipVersion"]),
        (
            global("ingress: [{action: Allow, ipVersion: 6, source: {nets: [10.0.0.0/8]}}]"),
            ["5:59 BH1301 spec.ingress[0].source.nets[0]"]
        ),
        (global("ingress: [{action: Allow, protocol: GRE}]"), ["5:39 BH1307 spec.ingress[0].protocol"]),
        (
            global("egress: [{action: Allow, destination: {services: {name: x}}}]"),
            ["5:52 BH1103 spec.egress[0].destination.services"]
        ),
        (
            namespaced("egress: [{action: Allow, destination: {services: {namespace: x}}}]"),
            ["5:52 BH1103 spec.egress[0].destination.services"]
        ),
        (
            namespaced("egress: [{action: Allow, source: {services: {name: x}}}]"),
            ["5:37 BH1503 spec.egress[0].source.services"]
        ),
        (
            namespaced("egress: [{action: Allow, protocol: TCP, destination: {services: {name: x}, ports: [80]}}]"),
            ["5:78 BH1402 spec.egress[0].destination.ports"]
        ),
        (
            namespaced(
                "ingress: [{action: Allow, source: {services: {name: x}, selector: all(), nets: [10.0.0.0/8]}}]"),
            [
                "5:59 BH1401 spec.ingress[0].source.selector", "5:76 BH1401 spec.ingress[0].source.nets",
            ]
        ),
        (
            namespaced("egress: [{action: Allow, protocol: ICMP, destination: {services: {name: x}}}]"),
            ["5:38 BH1402 spec.egress[0].protocol"]
        ),
        (
            global("ingress: [{action: Allow, source: {serviceAccounts: {selector: has(x}}}]"),
            ["5:71 BH1304 spec.ingress[0].source.serviceAccounts.selector"]
        ),
        (
            global("ingress: [{action: Allow, protocol: TCP, http: {methods: [GET], paths: [{exact: a}]}}]"),
            ["5:83 BH1105 spec.ingress[0].http.paths[0].exact", "5:44 BH1501 spec.ingress[0].http"]
        ),
        (
            global("ingress: [{action: Allow, protocol: TCP, http: {methods: [GET, GET], paths: [{prefix: /a?b}]}}]"),
            [
                "5:66 BH1315 spec.ingress[0].http.methods[1]", "5:89 BH1315 spec.ingress[0].http.paths[0].prefix",
                "5:44 BH1501 spec.ingress[0].http",
            ]
        ),
        (
            global("ingress: [{action: Allow, source: {nets: [10.0.0.1/8]}}]"),
            ["5:45 BH1301 spec.ingress[0].source.nets[0]"]
        ),
        (
            global("ingress: [{action: Allow, source: {notNets: ['fd00::1/8']}}]"),
            ["5:48 BH1301 spec.ingress[0].source.notNets[0]"]
        ),
    ])
    func `refuses what it cannot say exactly`(text: String, expected: [String]) {
        #expect(Set(findings(text)) == Set(expected), "\(read(text).diagnostics.map(\.description))")
    }
}
