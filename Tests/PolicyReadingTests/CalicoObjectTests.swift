// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

private func document(_ kind: String, _ rest: String, metadata: String = "{name: p}") -> String {
    "apiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: \(metadata)\n\(rest)\n"
}

private let shop = "{name: p, namespace: shop}"

@Suite struct CalicoObjectTests {
    @Test(arguments: [
        (document("Tier", "spec: {order: 20.5, defaultAction: Pass}"), ["defines tier p, order 20.5, pass at its end"]),
        (document("Tier", "spec: {}"), ["defines tier p, no order, deny at its end"]),
        (document("Tier", "spec: {order: 1000000}", metadata: "{name: default}"), []),
        (
            document(
                "NetworkSet", "spec: {nets: [10.0.0.0/8, 192.0.2.1]}",
                metadata: "{name: p, namespace: shop, labels: {role: partner}}"),
            [
                "defines 2 prefixes with calico:network:set,k8s:io.kubernetes.pod.namespace=shop,k8s:role=partner, workloads in them too"
            ]
        ),
        (
            document("GlobalNetworkSet", "spec: {nets: [\"fd00::/8\"]}", metadata: "{name: p, labels: {feed: bad}}"),
            ["defines 1 prefixes with calico:network:set,k8s:feed=bad, workloads in them too"]
        ),
        (
            document("StagedNetworkPolicy", "spec: {stagedAction: Set, types: [Egress]}", metadata: shop),
            ["default tier, no order", "default deny egress of endpoints k8s:io.kubernetes.pod.namespace=shop"]
        ),
        (
            document(
                "StagedKubernetesNetworkPolicy", "spec: {stagedAction: Set, podSelector: {}}", metadata: shop),
            ["default deny ingress of endpoints k8s:io.kubernetes.pod.namespace=shop"]
        ),
        (document("StagedGlobalNetworkPolicy", "spec: {stagedAction: Ignore, selector: all()}"), []),
        (document("StagedNetworkPolicy", "spec: {stagedAction: Delete, types: [Egress]}", metadata: shop), []),
        (document("StagedKubernetesNetworkPolicy", "spec: {stagedAction: Delete}", metadata: shop), []),
        (
            document(
                "HostEndpoint",
                "spec: {node: n, interfaceName: \"*\", expectedIPs: [192.0.2.1], "
                    + "profiles: [web, projectcalico-default-allow], ports: [{name: http, protocol: TCP, port: 80}]}",
                metadata: "{name: p, labels: {role: edge}}"),
            [
                "defines 1 prefixes with calico:network:set,k8s:role=edge, workloads in them too",
                "gives host n labels calico:hostendpoint:p,calico:profile:projectcalico-default-allow,"
                    + "calico:profile:web,k8s:role=edge and ports http/tcp=80",
                "profile tier, no order", "default deny ingress of hosts calico:hostendpoint:p",
                "default deny egress of hosts calico:hostendpoint:p",
                "profiles[1]: allow hosts calico:hostendpoint:p from any on all",
                "profiles[1]: allow hosts calico:hostendpoint:p to any on all",
            ]
        ),
        (
            document("Profile", "spec: {labelsToApply: {a: b}, egress: [{action: Deny}]}"),
            [
                "gives hosts calico:profile:p labels k8s:a=b", "profile tier, order 0",
                "egress[0]: deny hosts calico:profile:p to any on all",
            ]
        ),
        (
            document("Profile", "spec: {ingress: [{action: Allow}]}", metadata: "{name: kns.shop}"),
            [
                "profile tier, order 0", "default deny ingress of endpoints k8s:io.kubernetes.pod.namespace=shop",
                "default deny egress of endpoints k8s:io.kubernetes.pod.namespace=shop",
                "ingress[0]: allow endpoints k8s:io.kubernetes.pod.namespace=shop from any on all",
                "ingress[0]: allow hosts calico:profile:kns.shop from any on all",
            ]
        ),
    ])
    func `reads what policies refer to, and what is staged`(text: String, expected: [String]) {
        #expect(read(text).diagnostics.map(\.description) == [])
        #expect(lowered(text) == expected)
        #expect(read(text).policies.allSatisfy { $0.isAudit == $0.reference.kind.hasPrefix("Staged") })
    }

    @Test(arguments: [
        ("StagedNetworkPolicy", "Set", "CalicoNetworkPolicy/shop/p"),
        ("StagedNetworkPolicy", "Delete", "CalicoNetworkPolicy/shop/p"),
        ("StagedNetworkPolicy", "Ignore", nil),
        ("StagedKubernetesNetworkPolicy", "Delete", "NetworkPolicy/shop/p"),
        ("StagedGlobalNetworkPolicy", "Learn", "GlobalNetworkPolicy/p"),
    ])
    func `what is staged is rehearsed in the place of the policy of that name`(
        kind: String, action: String, place: String?
    ) throws {
        let text = document(
            kind, "spec: {stagedAction: \(action)}", metadata: kind.contains("Global") ? "{name: p}" : shop)
        let policy = try #require(read(text).policies.first)
        #expect(policy.standsInFor?.text == place && policy.isAudit)
        #expect(findings(text) == (action == "Learn" ? ["4:22 BH2010 spec.stagedAction"] : []))
    }

    @Test(arguments: ["v2", "v2alpha1"])
    func `a group of Cilium is found by its name and by its labels`(version: String) {
        let text = """
            apiVersion: cilium.io/\(version)
            kind: CiliumCIDRGroup
            metadata: {name: vpn, labels: {role: vpn}}
            spec: {externalCIDRs: [10.8.0.0/16]}
            ---

            """
        let policy = ciliumPolicy(
            """
            endpointSelector: {}
            egress:
              - toCIDRSet: [{cidrGroupRef: vpn, except: [10.8.1.0/24]}, {cidrGroupSelector: {matchLabels: {role: vpn}}}]
            """)
        #expect(read(text + policy).diagnostics.map(\.description) == [])
        #expect(
            lowered(text + policy) == [
                "defines 1 prefixes with cidrgroup:io.cilium.policy.cidrgroupname=vpn,cidrgroup:role=vpn",
                "default deny egress of endpoints k8s:io.kubernetes.pod.namespace=shop",
                "egress[0]: allow endpoints k8s:io.kubernetes.pod.namespace=shop to "
                    + "(prefixes of cidrgroup:io.cilium.policy.cidrgroupname=vpn,"
                    + "cidrgroup:io.cilium.policy.cidrgroupname not in 10.8.1.0/24) | "
                    + "prefixes of cidrgroup:role=vpn,cidrgroup:io.cilium.policy.cidrgroupname on all",
            ])
    }

    @Test(arguments: [
        (document("Tier", "spec: {order: x}"), ["4:15 BH1101 spec.order"]),
        (document("Tier", "spec: {defaultAction: Allow}"), ["4:23 BH1105 spec.defaultAction"]),
        (document("Tier", "spec: {order: 5}", metadata: "{name: default}"), ["4:15 BH1312 spec.order"]),
        (
            document("Tier", "spec: {defaultAction: Pass}", metadata: "{name: default}"),
            ["4:23 BH1312 spec.defaultAction"]
        ),
        (document("Tier", "spec: {}", metadata: "{name: kube-admin}"), ["3:12 BH1312 metadata.name"]),
        (document("Tier", "spec: {}", metadata: shop), ["3:21 BH1407 metadata.namespace"]),
        (document("NetworkSet", "spec: {nets: [10.0.0.0/33]}"), ["4:15 BH1301 spec.nets[0]"]),
        (
            document("NetworkSet", "spec: {allowedEgressDomains: [a.example, \"a*.example\"]}"),
            ["4:42 BH1314 spec.allowedEgressDomains[1]"]
        ),
        (document("StagedNetworkPolicy", "spec: {stagedAction: Sett}"), ["4:22 BH1105 spec.stagedAction"]),
        (document("HostEndpoint", "spec: {node: n}"), ["4:7 BH1103 spec"]),
        (document("HostEndpoint", "spec: {interfaceName: eth0}"), ["4:7 BH1103 spec"]),
        (
            document("HostEndpoint", "spec: {node: n, interfaceName: eth0, expectedIPs: [10.0.0.0/8]}"),
            ["4:52 BH1301 spec.expectedIPs[0]"]
        ),
        (
            document("HostEndpoint", "spec: {node: n, interfaceName: eth0, profiles: [b, a]}"),
            ["4:52 BH1513 spec.profiles[1]"]
        ),
        (
            document(
                "HostEndpoint", "spec: {node: n, interfaceName: eth0, ports: [{name: x, protocol: TCP, port: 0}]}"),
            ["4:77 BH1303 spec.ports[0].port"]
        ),
        (document("Profile", "spec: {ingress: [{action: Pass}]}"), ["4:18 BH1105 spec.ingress[0]"]),
        (
            document("Profile", "spec: {egress: [{action: Allow}]}", metadata: "{name: ksa.shop.robot}"),
            ["4:8 BH1513 spec.egress"]
        ),
        (
            document("Profile", "spec: {}", metadata: "{name: projectcalico-default-allow}"),
            ["3:12 BH1106 metadata.name"]
        ),
        (
            document("GlobalNetworkPolicy", "spec: {preDNAT: true, applyOnForward: false}"),
            ["4:8 BH1409 spec.preDNAT"]
        ),
        (
            document("GlobalNetworkPolicy", "spec: {preDNAT: true, applyOnForward: true, egress: [{action: Deny}]}"),
            ["4:45 BH1409 spec.egress"]
        ),
        (
            document(
                "GlobalNetworkPolicy", "spec: {preDNAT: true, applyOnForward: true, types: [Ingress, Egress]}"),
            ["4:45 BH1409 spec.types"]
        ),
        (
            document("GlobalNetworkPolicy", "spec: {preDNAT: true, applyOnForward: true, tier: security}"),
            ["4:45 BH1514 spec.tier"]
        ),
        (
            document("GlobalNetworkPolicy", "spec: {doNotTrack: true}"),
            ["4:8 BH1409 spec.doNotTrack"]
        ),
        (
            document("GlobalNetworkPolicy", "spec: {preDNAT: true, doNotTrack: true}"), ["4:8 BH1409 spec.preDNAT"]
        ),
    ])
    func `refuses what these kinds cannot be`(text: String, expected: [String]) {
        #expect(findings(text) == expected)
    }

    @Test func `more tiers than there is room for are named`() {
        let policies = (1...6).map { number in
            document("GlobalNetworkPolicy", "spec: {tier: t\(number), selector: all()}", metadata: "{name: p\(number)}")
        }
        let set = read(policies.joined(separator: "---\n"))
        #expect(set.diagnostics.map(\.code) == [.tooManyTiers])
        #expect(set.diagnostics.first?.message.contains("t1, t2, t3, t4, t5, t6") ?? false)
        #expect(!read(policies.prefix(5).joined(separator: "---\n")).hasErrors)
    }
}
