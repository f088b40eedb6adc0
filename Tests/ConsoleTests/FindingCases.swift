// SPDX-License-Identifier: Apache-2.0

import Testing

/// A document with a finding, and what is said about it word for word.
struct FindingCase: Sendable, CustomTestStringConvertible {
    let code: String
    /// Labels of the workloads that it is judged against; none: by itself.
    var workloads: [String] = []
    let text: String
    let line: String

    var testDescription: String { code }

    private static let kubernetes = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: p, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: a}}

        """
    private static let cilium = """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: p, namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: a}}

        """
    /// Closed on ingress, with an annotation.
    private static func closed(_ annotation: String) -> String {
        kubernetes.replacing("namespace: shop}", with: "namespace: shop, annotations: {\(annotation)}}")
            + "  policyTypes: [Ingress]\n"
    }
    private static let inShop = ",k8s:io.kubernetes.pod.namespace=shop"

    /// One of each code of a finding that documents alone, or with imagined workloads, can have.
    static let all: [FindingCase] = [
        FindingCase(
            code: "BH1202",
            text: """
                apiVersion: cilium.io/v2
                kind: CiliumLocalRedirectPolicy
                metadata: {name: p}

                """,
            line:
                "policy.yaml:2:7: error[BH1202]: kind `CiliumLocalRedirectPolicy` is not supported yet (kind); remove the document"
        ),
        FindingCase(
            code: "BH1311",
            text: """
                apiVersion: projectcalico.org/v3
                kind: GlobalNetworkPolicy
                metadata: {name: p}
                spec:
                  selector: (a0 == '1' || b0 == '1') && (a1 == '1' || b1 == '1') && (a2 == '1' || b2 == '1') && (a3 == '1' || b3 == '1') && (a4 == '1' || b4 == '1') && (a5 == '1' || b5 == '1') && (a6 == '1' || b6 == '1') && (a7 == '1' || b7 == '1') && (a8 == '1' || b8 == '1')
                  ingress: [{action: Allow}]

                """,
            line:
                "policy.yaml:5:13: error[BH1311]: the selector expands to more than 128 alternatives (spec.selector); split the rule, or give what is meant a label of its own"
        ),
        FindingCase(
            code: "BH2001",
            text: cilium + """
                  ingress: [{}]

                """,
            line:
                "policy.yaml:6:13: note[BH2001]: an empty element allows nothing, so ingress is denied by default; in a NetworkPolicy it would allow everything (spec.ingress[0])"
        ),
        FindingCase(
            code: "BH2002",
            text: cilium + """
                  ingress: [{fromEndpoints: [{}]}]

                """,
            line:
                "policy.yaml:6:30: note[BH2002]: an empty selector means every endpoint of namespace shop (spec.ingress[0].fromEndpoints[0]); for everyone, the world included, write `fromEntities: [all]` or `toEntities: [all]`"
        ),
        FindingCase(
            code: "BH2003",
            text: """
                apiVersion: cilium.io/v2
                kind: CiliumNetworkPolicy
                metadata: {name: p, namespace: shop}
                spec:
                  endpointSelector: {matchLabels: {k8s:io.kubernetes.pod.namespace: other}}
                  ingress: [{fromEntities: [all]}]

                """,
            line:
                "policy.yaml:5:21: warning[BH2003]: a policy speaks for its own namespace shop; `k8s:io.kubernetes.pod.namespace=other` is replaced (spec.endpointSelector); move the policy to that namespace, or write a CiliumClusterwideNetworkPolicy"
        ),
        FindingCase(
            code: "BH2004",
            text: kubernetes + """
                  policyTypes: [Ingress]
                  egress: [{to: [{podSelector: {}}]}]

                """,
            line:
                "policy.yaml:7:3: warning[BH2004]: policyTypes does not list Egress, so these rules have no effect (spec.egress); add Egress to policyTypes, or delete the rules"
        ),
        FindingCase(
            code: "BH2005",
            text: cilium + """
                  ingress: [{fromCIDR: [10.1.2.3/8]}]

                """,
            line:
                "policy.yaml:6:25: warning[BH2005]: `10.1.2.3/8` has bits set outside its prefix and means 10.0.0.0/8 (spec.ingress[0].fromCIDR[0]); write 10.0.0.0/8, or the length that was meant"
        ),
        FindingCase(
            code: "BH2006",
            text: cilium + """
                  ingress: [{fromEntities: [all], toPorts: [{ports: [{port: "1"}, {port: "2"}, {port: "3"}, {port: "4"}, {port: "5"}, {port: "6"}, {port: "7"}, {port: "8"}, {port: "9"}, {port: "10"}, {port: "11"}, {port: "12"}, {port: "13"}, {port: "14"}, {port: "15"}, {port: "16"}, {port: "17"}, {port: "18"}, {port: "19"}, {port: "20"}, {port: "21"}, {port: "22"}, {port: "23"}, {port: "24"}, {port: "25"}, {port: "26"}, {port: "27"}, {port: "28"}, {port: "29"}, {port: "30"}, {port: "31"}, {port: "32"}, {port: "33"}, {port: "34"}, {port: "35"}, {port: "36"}, {port: "37"}, {port: "38"}, {port: "39"}, {port: "40"}, {port: "41"}]}]}]

                """,
            line:
                "policy.yaml:6:46: warning[BH2006]: 41 ports in one list; Cilium refuses more than 40 (spec.ingress[0].toPorts[0].ports); split the list if the policy is used with Cilium too"
        ),
        FindingCase(
            code: "BH2007",
            text: cilium + """
                  ingress: [{fromEndpoints: []}]

                """,
            line:
                "policy.yaml:6:14: warning[BH2007]: `fromEndpoints: []` selects nothing, so the element has no effect (spec.ingress[0].fromEndpoints); delete the field for every peer, or name some"
        ),
        FindingCase(
            code: "BH2008",
            text: cilium + """
                  ingress: [{fromEntities: [all], toPorts: [{ports: [{port: http, endPort: 90}]}]}]

                """,
            line:
                "policy.yaml:6:76: warning[BH2008]: endPort has no effect on a named port (spec.ingress[0].toPorts[0].ports[0].endPort); write port as a number"
        ),
        FindingCase(
            code: "BH2009",
            text: cilium + """
                  enableDefaultDeny: {egress: true}
                  ingress: [{fromEntities: [all]}]

                """,
            line:
                "policy.yaml:6:31: warning[BH2009]: enableDefaultDeny.egress closes nothing: the rule has no egress entry (spec.enableDefaultDeny.egress); write `egress: [{}]` to deny by default"
        ),
        FindingCase(
            code: "BH2010",
            text: cilium + """
                  ingress: [{fromEntities: [all]}]
                  log: {value: x}

                """,
            line:
                "policy.yaml:7:16: warning[BH2010]: log.value is not written into flow records (spec.log.value); verdicts already name the policy and its rule; delete the field"
        ),
        FindingCase(
            code: "BH2011",
            text: cilium + """
                  ingressDeny: [{fromEntities: [world]}]

                """,
            line:
                "policy.yaml:6:3: note[BH2011]: with ingressDeny the selected endpoints also deny ingress by default (spec.ingressDeny); write `enableDefaultDeny: {ingress: false}` if the rest is to stay open"
        ),
        FindingCase(
            code: "BH2012",
            text: kubernetes + """
                  policyTypes: [Ingress]
                  ingress: [{from: []}]

                """,
            line:
                "policy.yaml:7:14: warning[BH2012]: an empty `from` means everyone, not no one (spec.ingress[0].from); delete `from` to allow everyone, or the whole element to allow no one"
        ),
        FindingCase(
            code: "BH2013",
            text: """
                # nothing yet

                """,
            line:
                "policy.yaml:1:1: warning[BH2013]: no policy in policy.yaml; delete the file if that is meant to stay so"
        ),
        FindingCase(
            code: "BH2014",
            text: kubernetes + """
                  policyTypes: [Ingress]
                  ingress: [{}]

                """,
            line:
                "policy.yaml:7:13: note[BH2014]: an empty element allows all ingress; in a Cilium policy it would allow nothing (spec.ingress[0]); write `ingress: []` and list Ingress in policyTypes to deny by default"
        ),
        FindingCase(
            code: "BH2015",
            text: kubernetes + """
                  egress: []

                """,
            line:
                "policy.yaml:6:3: warning[BH2015]: `egress: []` closes nothing here: policyTypes does not list Egress (spec.egress); write `policyTypes: [Egress]` to deny egress by default, or delete the field"
        ),
        FindingCase(
            code: "BH2016",
            text: kubernetes + """
                  egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]

                """,
            line:
                "policy.yaml:6:3: warning[BH2016]: the rules are about egress alone, but without policyTypes the policy closes ingress too (spec.egress); write `policyTypes: [Egress]`, or `[Ingress, Egress]` if both are to be closed"
        ),
        FindingCase(
            code: "BH2017",
            text: kubernetes + """
                  ingress: [{from: [{namespaceSelector: {}, podSelector: {}}]}]

                """,
            line:
                "policy.yaml:6:22: note[BH2017]: an empty namespaceSelector means every workload of every namespace, and neither the host nor anyone outside (spec.ingress[0].from[0].namespaceSelector); leave `namespaceSelector` out for the policy's own namespace, or leave the peers out for everyone"
        ),
        FindingCase(
            code: "BH2018",
            text: """
                apiVersion: projectcalico.org/v3
                kind: NetworkSet
                metadata: {name: s, namespace: shop}
                spec: {allowedEgressDomains: [192.0.2.1]}

                """,
            line:
                "policy.yaml:4:31: warning[BH2018]: `192.0.2.1` is an address: as a DNS name it means nobody (spec.allowedEgressDomains[0]); write it in `nets`, as 192.0.2.1/32"
        ),
        FindingCase(
            code: "BH2101",
            workloads: ["app=c"],
            text: kubernetes + """
                  ingress: [{from: [{podSelector: {}}]}]

                """,
            line:
                "policy.yaml:6:13: warning[BH2101]: NetworkPolicy/shop/p ingress[0]: the selector matches no endpoint of this host; correct its labels if it should"
        ),
        FindingCase(
            code: "BH2102",
            workloads: ["app=a" + inShop],
            text: kubernetes + """
                  ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]

                """,
            line:
                "policy.yaml:6:13: warning[BH2102]: NetworkPolicy/shop/p ingress[0]: the peers match no identity known here; correct the labels if they should"
        ),
        FindingCase(
            code: "BH2103",
            workloads: ["app=a" + inShop],
            text: kubernetes + """
                  ingress: [{ports: [{port: http}]}]

                """,
            line:
                "policy.yaml:6:13: warning[BH2103]: NetworkPolicy/shop/p ingress[0]: port name 'http' (tcp) is not defined by any endpoint it is meant for; define it there or write the number"
        ),
        FindingCase(
            code: "BH2108",
            text: """
                apiVersion: cilium.io/v2
                kind: CiliumNetworkPolicy
                metadata: {name: p, namespace: shop}
                spec:
                  endpointSelector: {matchExpressions: [{key: "k8s:app", operator: Exists}, {key: "k8s:app", operator: DoesNotExist}]}
                  ingress: [{fromEntities: [all]}]

                """,
            line:
                "policy.yaml:6:13: warning[BH2108]: CiliumNetworkPolicy/shop/p ingress[0]: the subject selector k8s:io.kubernetes.pod.namespace=shop,k8s:app,!k8s:app contradicts itself, so the rule never applies; correct its labels"
        ),
        FindingCase(
            code: "BH2109",
            text: cilium + """
                  ingress: [{fromEndpoints: [{matchLabels: {app: b}}]}]
                  ingressDeny: [{fromEntities: [all]}]

                """,
            line:
                "policy.yaml:6:13: warning[BH2109]: CiliumNetworkPolicy/shop/p ingress[0]: everything it allows is denied by CiliumNetworkPolicy/shop/p ingressDeny[0] at policy.yaml:7:17, which wins; remove one of the two, or narrow the deny rule"
        ),
        FindingCase(
            code: "BH2110",
            text: """
                apiVersion: policy.networking.k8s.io/v1alpha1
                kind: AdminNetworkPolicy
                metadata: {name: p}
                spec:
                  priority: 1
                  subject: {namespaces: {}}
                  ingress:
                    - {name: all, action: Allow, from: [{namespaces: {}}]}
                    - {name: one, action: Deny, from: [{namespaces: {matchLabels: {team: x}}}]}

                """,
            line:
                "policy.yaml:9:7: warning[BH2110]: AdminNetworkPolicy/p ingress[1]: everything it speaks of is decided before by AdminNetworkPolicy/p ingress[0] at policy.yaml:8:7 (allow); remove one of the two, or put this rule before it"
        ),
        FindingCase(
            code: "BH2111",
            text: cilium + """
                  ingress:
                    - fromEntities: [all]
                    - fromEndpoints: [{matchLabels: {app: b}}]

                """,
            line:
                "policy.yaml:8:7: note[BH2111]: CiliumNetworkPolicy/shop/p ingress[1]: CiliumNetworkPolicy/shop/p ingress[0] at policy.yaml:7:7 does the same for all of it; remove one of the two, unless they are to be changed apart"
        ),
        FindingCase(
            code: "BH2112",
            text: kubernetes + """
                  policyTypes: [Egress]
                  egress: [{to: [{podSelector: {}}]}]

                """,
            line:
                "policy.yaml:7:12: warning[BH2112]: NetworkPolicy/shop/p egress[0]: egress of endpoints k8s:io.kubernetes.pod.namespace=shop,any:app=a is closed but for some rules, and none of them leads to a resolver (UDP port 53): names are not resolved; allow UDP and TCP port 53 to the resolver"
        ),
        FindingCase(
            code: "BH2113",
            text: kubernetes + """
                  policyTypes: [Egress]
                  egress: [{ports: [{port: 53, protocol: UDP}]}]

                """,
            line:
                "policy.yaml:7:12: note[BH2113]: NetworkPolicy/shop/p egress[0]: port 53 is open over UDP only: answers that do not fit into one packet come over TCP; add TCP port 53 to the rule"
        ),
        FindingCase(
            code: "BH2114",
            text: kubernetes + """
                  policyTypes: [Ingress]
                  ingress: [{ports: [{port: 80}]}]

                """,
            line:
                "policy.yaml:7:13: note[BH2114]: NetworkPolicy/shop/p ingress[0]: rules with ports do not cover ICMP, so ping is denied on ingress; errors about connections still pass; allow ICMP echo requests with a rule of their own (`icmps` of a Cilium policy) if ping is wanted"
        ),
        FindingCase(
            code: "BH2115",
            text: closed(#"bulkhead.dev/validUntil: "2020-01-02T00:00:00Z""#),
            line:
                "policy.yaml:1:1: warning[BH2115]: NetworkPolicy/shop/p: its time was over 2570 days ago (bulkhead.dev/validUntil): it is out of force; delete the policy, or give it a later end"
        ),
        FindingCase(
            code: "BH2116",
            text: """
                apiVersion: cilium.io/v2
                kind: CiliumClusterwideNetworkPolicy
                metadata: {name: p}
                spec:
                  nodeSelector: {}
                  ingress: [{fromEntities: [cluster], toPorts: [{ports: [{port: "80"}]}]}]

                """,
            line:
                "policy.yaml:1:1: note[BH2116]: CiliumClusterwideNetworkPolicy/p: hosts * are closed to SSH (TCP port 22) from outside, unless a failsafe port of the agent keeps it open (by default it does); allow TCP port 22 from the network you administer from"
        ),
        FindingCase(
            code: "BH2117",
            text: cilium + """
                  egressDeny: [{toCIDR: [0.0.0.0/0]}]

                """,
            line:
                "policy.yaml:6:16: warning[BH2117]: CiliumNetworkPolicy/shop/p egressDeny[0]: 0.0.0.0/0 is everyone over IPv4 only; over IPv6 the rule denies nobody; add ::/0 if both are meant"
        ),
        FindingCase(
            code: "BH2118",
            workloads: ["app=a" + inShop, "app=b" + inShop],
            text: kubernetes + """
                  policyTypes: [Egress]
                  egress: [{to: [{podSelector: {matchLabels: {app: b}}}], ports: [{port: 80}]}]
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: q, namespace: shop}
                spec:
                  podSelector: {matchLabels: {app: b}}
                  policyTypes: [Ingress]

                """,
            line:
                "policy.yaml:7:12: warning[BH2118]: NetworkPolicy/shop/p egress[0]: what it allows is denied at the other end, by NetworkPolicy/shop/q (ingress, as between k8s:app=a,k8s:io.kubernetes.pod.namespace=shop and k8s:app=b,k8s:io.kubernetes.pod.namespace=shop); allow it in a policy of the other end too, or remove the rule"
        ),
        FindingCase(
            code: "BH2120",
            text: cilium + """
                  enableDefaultDeny: {ingress: false}
                  ingress: [{fromEndpoints: []}]

                """,
            line:
                "policy.yaml:1:1: warning[BH2120]: CiliumNetworkPolicy/shop/p: it closes nothing, and no rule of it can match: no verdict depends on it; write what it is to allow or deny, or delete it"
        ),
        FindingCase(
            code: "BH2121",
            text: closed(#"bulkhead.dev/lintIgnore: "BH2015: meant so""#),
            line:
                "policy.yaml:1:1: note[BH2121]: NetworkPolicy/shop/p: BH2015 is to be ignored, but is not found here; delete it from bulkhead.dev/lintIgnore"
        ),
        FindingCase(
            code: "BH2122",
            text: cilium + """
                  egress: [{toFQDNs: [{matchName: a.example.org}]}]

                """,
            line:
                "policy.yaml:6:12: note[BH2122]: CiliumNetworkPolicy/shop/p egress[0]: the rule by name (a.example.org) opens nothing where `dns.resolvers` of the agent is empty; list in `dns.resolvers` of the agent's configuration the addresses that workloads ask"
        ),
        FindingCase(
            code: "BH2123",
            text: """
                apiVersion: projectcalico.org/v3
                kind: GlobalNetworkPolicy
                metadata: {name: security.p}
                spec:
                  tier: security
                  selector: all()
                  ingress: [{action: Allow}]

                """,
            line:
                "policy.yaml:1:1: warning[BH2123]: GlobalNetworkPolicy/security.p: no document defines tier security: it is asked behind every tier that has an order, and denies at its end; write a Tier named security, or correct the name"
        ),
        FindingCase(
            code: "BH2124",
            text: """
                apiVersion: projectcalico.org/v3
                kind: NetworkPolicy
                metadata: {name: p, namespace: shop}
                spec:
                  selector: all()
                  egress:
                    - {action: Allow, destination: {selector: role == 'partner', notNets: [192.0.2.0/24]}}
                ---
                apiVersion: projectcalico.org/v3
                kind: NetworkSet
                metadata: {name: partners, namespace: shop, labels: {role: partner}}
                spec: {allowedEgressDomains: [b.example.org, a.example.org]}

                """,
            line:
                "policy.yaml:7:7: warning[BH2124]: CalicoNetworkPolicy/shop/p egress[0]: it selects a set with names (a.example.org …), which open nothing in a rule that asks more of the addresses; write a rule with the selector alone, without `nets`, `notNets`, `notSelector` and `ipVersion`"
        ),
    ]
}
