// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

private let namespace = "k8s:io.kubernetes.pod.namespace"
private let all = "endpoints \(namespace)=shop"
private let closed = "default deny ingress of \(all)"
private let closedEgress = "default deny egress of \(all)"
/// Addresses of documents of kinds Endpoints and EndpointSlice.
private let list = "service:io.kubernetes.service.addresses"
/// Addresses of documents of kind Node.
private let nodes = "(prefixes of node:io.kubernetes.node.name not reserved:host)"
private let namespaceLabel = "k8s:io.cilium.k8s.namespace.labels."

/// A rule of the policy, subject every endpoint of its namespace.
private func ingress(_ rule: String) -> String { "endpointSelector: {}\ningress:\n- \(rule)" }
private func egress(_ rule: String) -> String { "endpointSelector: {}\negress:\n- \(rule)" }

@Suite struct CiliumPolicyTests {
    static let lowering: [LoweringCase] = [
        .init(
            "an empty element alone is default deny", ingress("{}"),
            [closed, "ingress[0]: allow \(all) from nothing on all"]),
        .init(
            "the subject is kept in the policy's namespace",
            "endpointSelector: {matchLabels: {app: web}}\ningress:\n- {fromEntities: [all]}",
            [
                "default deny ingress of \(all),any:app=web",
                "ingress[0]: allow \(all),any:app=web from any on all",
            ]),
        .init(
            "a foreign namespace of the subject is replaced",
            "endpointSelector: {matchLabels: {\"k8s:io.kubernetes.pod.namespace\": other, app: web}}\ningress:\n- {}",
            ["default deny ingress of \(all),any:app=web", "ingress[0]: allow \(all),any:app=web from nothing on all"]),
        .init(
            "a label of another namespace selects nothing in the subject",
            """
            endpointSelector: {matchLabels: {io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name: other}}
            ingress: [{}]
            """,
            [
                "default deny ingress of \(all),\(namespace)=other",
                "ingress[0]: allow \(all),\(namespace)=other from nothing on all",
            ]),
        .init(
            "the policy's own namespace in the subject is not repeated",
            "endpointSelector: {matchLabels: {\"k8s:io.kubernetes.pod.namespace\": shop}}\ningress:\n- {}",
            [closed, "ingress[0]: allow \(all) from nothing on all"]),
        .init(
            "all four sections, in order",
            """
            endpointSelector: {}
            egressDeny: [{toEntities: [world]}]
            egress: [{toEntities: [all]}]
            ingressDeny: [{fromEntities: [world]}]
            ingress: [{fromEntities: [cluster]}]
            """,
            [
                closed, closedEgress, "ingress[0]: allow \(all) from !reserved:world | \(nodes) on all",
                "ingressDeny[0]: deny \(all) from reserved:world on all", "egress[0]: allow \(all) to any on all",
                "egressDeny[0]: deny \(all) to reserved:world on all",
            ]),
        .init(
            "a deny-only rule closes its direction too",
            "endpointSelector: {}\ningressDeny:\n- {fromEntities: [world]}",
            [closed, "ingressDeny[0]: deny \(all) from reserved:world on all"]),
        .init(
            "an empty section beside a full one closes nothing",
            "endpointSelector: {}\ningress: []\negress:\n- {toEntities: [all]}",
            [closedEgress, "egress[0]: allow \(all) to any on all"]),
        // enableDefaultDeny
        .init(
            "enableDefaultDeny false leaves the direction open",
            "endpointSelector: {}\nenableDefaultDeny: {ingress: false}\ningressDeny:\n- {fromEntities: [world]}",
            ["ingressDeny[0]: deny \(all) from reserved:world on all"]),
        .init(
            "enableDefaultDeny is decided for each direction",
            """
            endpointSelector: {}
            enableDefaultDeny: {ingress: true, egress: false}
            ingress: [{}]
            egress: [{}]
            """,
            [
                closed, "ingress[0]: allow \(all) from nothing on all", "egress[0]: allow \(all) to nothing on all",
            ]),
        .init(
            "enableDefaultDeny true without entries closes nothing",
            "endpointSelector: {}\nenableDefaultDeny: {egress: true}\ningress:\n- {}",
            [closed, "ingress[0]: allow \(all) from nothing on all"]),
        // Endpoints
        .init(
            "an empty selector is the policy's own namespace", ingress("fromEndpoints: [{}]"),
            [closed, "ingress[0]: allow \(all) from \(namespace)=shop on all"]),
        .init(
            "a selector without namespace is in the policy's", ingress("fromEndpoints: [{matchLabels: {app: web}}]"),
            [closed, "ingress[0]: allow \(all) from \(namespace)=shop,any:app=web on all"]),
        .init(
            "sources in keys are kept",
            ingress("fromEndpoints: [{matchLabels: {\"k8s:a\": x, \"container:b\": \"y\", \"any:c\": z}}]"),
            [closed, "ingress[0]: allow \(all) from \(namespace)=shop,k8s:a=x,container:b=y,any:c=z on all"]),
        .init(
            "a selector may name another namespace",
            ingress("fromEndpoints: [{matchLabels: {\"k8s:io.kubernetes.pod.namespace\": db, app: web}}]"),
            [closed, "ingress[0]: allow \(all) from \(namespace)=db,any:app=web on all"]),
        .init(
            "the namespace key needs no source",
            ingress("fromEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: db}}]"),
            [closed, "ingress[0]: allow \(all) from any:io.kubernetes.pod.namespace=db,\(namespace) on all"]),
        .init(
            "a selector may ask for any namespace",
            ingress(
                "fromEndpoints: [{matchExpressions: [{key: \"k8s:io.kubernetes.pod.namespace\", operator: Exists}]}]"),
            [closed, "ingress[0]: allow \(all) from \(namespace) on all"]),
        .init(
            "NotIn on the namespace matches workloads only",
            ingress(
                "fromEndpoints: [{matchExpressions: [{key: \"k8s:io.kubernetes.pod.namespace\", operator: NotIn, values: [a]}]}]"
            ),
            [closed, "ingress[0]: allow \(all) from \(namespace)!=a,\(namespace) on all"]),
        .init(
            "labels of namespaces",
            ingress("fromEndpoints: [{matchLabels: {\"k8s:io.cilium.k8s.namespace.labels.team\": a}}]"),
            [closed, "ingress[0]: allow \(all) from \(namespaceLabel)team=a,\(namespace) on all"]),
        .init(
            "the name label of a namespace is the namespace",
            ingress(
                "fromEndpoints: [{matchLabels: {\"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name\": a}}]"
            ),
            [closed, "ingress[0]: allow \(all) from \(namespace)=a on all"]),
        .init(
            "reserved labels are left alone", ingress("fromEndpoints: [{matchLabels: {\"reserved:host\": \"\"}}]"),
            [closed, "ingress[0]: allow \(all) from reserved:host= on all"]),
        .init(
            "several selectors: either", egress("toEndpoints: [{matchLabels: {a: x}}, {matchLabels: {b: \"y\"}}]"),
            [
                closedEgress,
                "egress[0]: allow \(all) to \(namespace)=shop,any:a=x | \(namespace)=shop,any:b=y on all",
            ]),
        // Empty against missing
        .init(
            "an empty list of endpoints selects nothing, with ports too",
            ingress("{fromEndpoints: [], toPorts: [{ports: [{port: \"80\", protocol: TCP}]}]}"),
            [closed, "ingress[0]: allow \(all) from nothing on tcp/80"]),
        .init(
            "an empty list of prefixes selects nothing", ingress("fromCIDR: []"),
            [closed, "ingress[0]: allow \(all) from nothing on all"]),
        .init(
            "an empty list of entities selects nothing", ingress("fromEntities: []"),
            [closed, "ingress[0]: allow \(all) from nothing on all"]),
        .init(
            "an empty list beside a full one selects nothing", ingress("{fromEntities: [], fromCIDR: [10.0.0.0/8]}"),
            [closed, "ingress[0]: allow \(all) from nothing on all"]),
        .init(
            "ports without peers: everyone", ingress("toPorts: [{ports: [{port: \"80\", protocol: TCP}]}]"),
            [closed, "ingress[0]: allow \(all) from any on tcp/80"]),
        .init(
            "an empty toPorts counts as missing", ingress("{fromEntities: [world], toPorts: []}"),
            [closed, "ingress[0]: allow \(all) from reserved:world on all"]),
        .init(
            "an empty toPorts alone allows nothing", ingress("toPorts: []"),
            [closed, "ingress[0]: allow \(all) from nothing on all"]),
        .init(
            "an element of toPorts without ports selects nothing", ingress("{fromEntities: [world], toPorts: [{}]}"),
            [closed, "ingress[0]: allow \(all) from reserved:world on nothing"]),
        // Prefixes
        .init(
            "prefixes and bare addresses",
            egress("toCIDR: [10.0.0.0/8, 192.0.2.1, \"2001:db8::/32\", \"2001:db8::1\"]"),
            [
                closedEgress,
                "egress[0]: allow \(all) to 10.0.0.0/8 | 192.0.2.1/32 | 2001:db8::/32 | 2001:db8::1/128 on all",
            ]),
        .init(
            "prefixes with exceptions",
            egress("toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, {cidr: \"::/0\"}]"),
            [closedEgress, "egress[0]: allow \(all) to 10.0.0.0/8 except 10.1.0.0/16 | ::/0 on all"]),
        // Ports
        .init(
            "no protocol and ANY mean TCP, UDP and SCTP, never ICMP",
            ingress("toPorts: [{ports: [{port: \"80\"}, {port: \"81\", protocol: ANY}]}]"),
            [closed, "ingress[0]: allow \(all) from any on tcp/80,udp/80,sctp/80,tcp/81,udp/81,sctp/81"]),
        .init(
            "port 0 is every port of the protocol",
            ingress("toPorts: [{ports: [{port: \"0\", protocol: UDP}, {port: \"0\", protocol: TCP, endPort: 0}]}]"),
            [closed, "ingress[0]: allow \(all) from any on udp/*,tcp/*"]),
        .init(
            "ranges", ingress("toPorts: [{ports: [{port: \"1000\", endPort: 2000, protocol: TCP}]}]"),
            [closed, "ingress[0]: allow \(all) from any on tcp/1000-2000"]),
        .init(
            "an end before the start has no effect",
            ingress("toPorts: [{ports: [{port: \"1000\", endPort: 10, protocol: TCP}]}]"),
            [closed, "ingress[0]: allow \(all) from any on tcp/1000"]),
        .init(
            "an end equal to the start is one port",
            ingress("toPorts: [{ports: [{port: \"1000\", endPort: 1000, protocol: TCP}]}]"),
            [closed, "ingress[0]: allow \(all) from any on tcp/1000"]),
        .init(
            "named ports are lower-cased and their endPort ignored",
            ingress("toPorts: [{ports: [{port: Web-1, endPort: 9, protocol: TCP}, {port: \"0x10\", protocol: UDP}]}]"),
            [closed, "ingress[0]: allow \(all) from any on tcp/web-1,udp/0x10"]),
        .init(
            "protocols in any letter case", ingress("toPorts: [{ports: [{port: \"53\", protocol: udp}]}]"),
            [closed, "ingress[0]: allow \(all) from any on udp/53"]),
        .init(
            "several elements of toPorts: either, without repetitions",
            ingress(
                "toPorts: [{ports: [{port: \"80\", protocol: TCP}]}, {ports: [{port: \"81\", protocol: TCP}, {port: \"80\", protocol: TCP}]}]"
            ),
            [closed, "ingress[0]: allow \(all) from any on tcp/80,tcp/81"]),
        .init(
            "empty rules are none", ingress("toPorts: [{ports: [{port: \"80\", protocol: TCP}], rules: {}}]"),
            [closed, "ingress[0]: allow \(all) from any on tcp/80"]),
        // ICMP
        .init(
            "ICMP types by number and name, for each family",
            ingress(
                "icmps: [{fields: [{type: 8}, {type: EchoReply}, {family: IPv6, type: EchoRequest}, {family: IPv4, type: Echo}]}]"
            ),
            [closed, "ingress[0]: allow \(all) from any on icmp/8,icmp/0,icmpv6/128"]),
        .init(
            "ICMP with peers, and an empty toPorts beside it",
            ingress("{fromCIDR: [10.0.0.0/8], toPorts: [], icmps: [{fields: [{type: 255}]}]}"),
            [closed, "ingress[0]: allow \(all) from 10.0.0.0/8 on icmp/255"]),
        .init(
            "an element of icmps without types selects nothing", ingress("icmps: [{fields: []}]"),
            [closed, "ingress[0]: allow \(all) from any on nothing"]),
        // Entities
        .init(
            "entities over reserved labels",
            ingress("fromEntities: [host, remote-node, kube-apiserver, ingress, init, health, unmanaged, world]"),
            [
                closed,
                "ingress[0]: allow \(all) from reserved:host | reserved:remote-node | \(nodes) | reserved:kube-apiserver"
                    + " | prefixes of service:io.kubernetes.service.name=kubernetes,service:io.kubernetes.service.namespace=default"
                    + " | reserved:ingress | reserved:init | reserved:health | reserved:unmanaged | reserved:world on all",
            ]),
        .init(
            "cluster is everything but the world", ingress("fromEntities: [cluster]"),
            [closed, "ingress[0]: allow \(all) from !reserved:world | \(nodes) on all"]),
        .init(
            "nodes by their labels, but not the one that judges", ingress("fromNodes: [{}, {matchLabels: {a: b}}]"),
            [
                closed,
                "ingress[0]: allow \(all) from \(nodes) | (prefixes of node:a=b,node:io.kubernetes.node.name not reserved:host) on all",
            ]),
        .init(
            "services by name, everywhere or in a namespace, and by labels",
            egress(
                "toServices: [{k8sService: {serviceName: a}}, {k8sService: {serviceName: a, namespace: b}}, "
                    + "{k8sServiceSelector: {selector: {matchLabels: {c: d}}, namespace: \"\"}}]"),
            [
                closedEgress,
                "egress[0]: allow \(all) to "
                    + [
                        "service:io.kubernetes.service.name=a",
                        "service:io.kubernetes.service.name=a,service:io.kubernetes.service.namespace=b",
                        "service:c=d,service:io.kubernetes.service.name",
                    ].map { service in
                        "prefixes of \(service),!\(list) | (prefixes of \(service),\(list) not !reserved:world)"
                    }.joined(separator: " | ") + " on all",
            ]),
        .init("no node at all", ingress("fromNodes: []"), [closed, "ingress[0]: allow \(all) from nothing on all"]),
        .init(
            "the world of one family", egress("toEntities: [world-ipv4, world-ipv6]"),
            [closedEgress, "egress[0]: allow \(all) to 0.0.0.0/0 | ::/0 on all"]),
        .init(
            "all beside others is everyone", ingress("fromEntities: [host, all]"),
            [closed, "ingress[0]: allow \(all) from any on all"]),
        .init(
            "none matches nothing", ingress("fromEntities: [none]"),
            [closed, "ingress[0]: allow \(all) from nothing on all"]),
        .init(
            "authentication that is switched off is none",
            ingress("{fromEntities: [all], authentication: {mode: disabled}}"),
            [closed, "ingress[0]: allow \(all) from any on all"]),
        .init(
            "an empty deny element denies nothing and still closes", "endpointSelector: {}\ningressDeny:\n- {}",
            [closed, "ingressDeny[0]: deny \(all) from nothing on all"]),
    ]

    @Test("lowers to", arguments: lowering)
    func lowers(row: LoweringCase) {
        #expect(read(ciliumPolicy(row.spec)).diagnostics.filter { $0.severity == .error }.map(\.description) == [])
        #expect(lowered(ciliumPolicy(row.spec)) == row.expected)
    }

    static let clusterwide: [LoweringCase] = [
        .init(
            "the subject has no namespace", "endpointSelector: {matchLabels: {app: web}}\ningress:\n- {}",
            [
                "default deny ingress of endpoints any:app=web",
                "ingress[0]: allow endpoints any:app=web from nothing on all",
            ]),
        .init(
            "an empty peer selector is every workload, not host and world",
            "endpointSelector: {}\ningress:\n- fromEndpoints: [{}]",
            ["default deny ingress of endpoints *", "ingress[0]: allow endpoints * from \(namespace) on all"]),
        .init(
            "a peer selector selects workloads",
            "endpointSelector: {}\ningress:\n- fromEndpoints: [{matchLabels: {a: b}}]",
            ["default deny ingress of endpoints *", "ingress[0]: allow endpoints * from any:a=b,\(namespace) on all"]),
        .init(
            "reserved labels are left alone",
            "endpointSelector: {}\ningress:\n- fromEndpoints: [{matchLabels: {\"reserved:health\": \"\"}}]",
            ["default deny ingress of endpoints *", "ingress[0]: allow endpoints * from reserved:health= on all"]),
        .init(
            "endpoints that are still starting have peers without namespace",
            "endpointSelector: {matchLabels: {\"reserved:init\": \"\"}}\ningress:\n- fromEndpoints: [{}]",
            [
                "default deny ingress of endpoints reserved:init=",
                "ingress[0]: allow endpoints reserved:init= from * on all",
            ]),
        .init(
            "nodeSelector selects hosts", "nodeSelector: {matchLabels: {role: edge}}\negress:\n- toEntities: [world]",
            [
                "default deny egress of hosts any:role=edge",
                "egress[0]: allow hosts any:role=edge to reserved:world on all",
            ]),
    ]

    @Test("cluster-wide lowers to", arguments: clusterwide)
    func lowersClusterwide(row: LoweringCase) {
        #expect(lowered(clusterwidePolicy(row.spec)) == row.expected)
        #expect(!read(clusterwidePolicy(row.spec)).hasErrors)
    }

    @Test("specs are rules of one policy, numbered in their section")
    func readsSpecs() {
        let text = """
            apiVersion: cilium.io/v2
            kind: CiliumNetworkPolicy
            metadata: {name: p, namespace: shop}
            spec:
              endpointSelector: {matchLabels: {app: a}}
              ingress: [{}]
            specs:
            - endpointSelector: {matchLabels: {app: b}}
              egress: [{toEntities: [host]}, {toEntities: [world]}]
            """
        #expect(
            lowered(text) == [
                "default deny ingress of \(all),any:app=a", "default deny egress of \(all),any:app=b",
                "ingress[0]: allow \(all),any:app=a from nothing on all",
                "specs[0].egress[0]: allow \(all),any:app=b to reserved:host on all",
                "specs[0].egress[1]: allow \(all),any:app=b to reserved:world on all",
            ])
    }

    @Test("more ports than Cilium accepts are taken, with a warning")
    func takesManyPorts() {
        let ports = (1...41).map { "{port: \"\($0)\", protocol: TCP}" }.joined(separator: ", ")
        let text = ciliumPolicy(ingress("toPorts: [{ports: [\(ports)]}]"))
        #expect(findings(text) == ["7:16 BH2006 spec.ingress[0].toPorts[0].ports"])
        guard case .some(let matches)? = read(text).policies.first?.rules.first?.ports else {
            Issue.record("no ports")
            return
        }
        #expect(matches.count == 41)
    }
}
