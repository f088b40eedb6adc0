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
            ["defines 2 prefixes with k8s:io.kubernetes.pod.namespace=shop,k8s:role=partner, workloads in them too"]
        ),
        (
            document("GlobalNetworkSet", "spec: {nets: [\"fd00::/8\"]}", metadata: "{name: p, labels: {feed: bad}}"),
            ["defines 1 prefixes with k8s:feed=bad, workloads in them too"]
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
    ])
    func `reads what policies refer to, and what is staged`(text: String, expected: [String]) {
        #expect(read(text).diagnostics.map(\.description) == [])
        #expect(lowered(text) == expected)
        #expect(read(text).policies.allSatisfy { $0.isAudit == $0.reference.kind.hasPrefix("Staged") })
    }

    @Test func `a group of Cilium is found by its name and by its labels`() {
        let text = """
            apiVersion: cilium.io/v2
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
        (document("NetworkSet", "spec: {allowedEgressDomains: [a.example]}"), ["4:8 BH1502 spec.allowedEgressDomains"]),
        (document("StagedNetworkPolicy", "spec: {stagedAction: Delete}"), ["4:22 BH1513 spec.stagedAction"]),
        (document("StagedNetworkPolicy", "spec: {stagedAction: Sett}"), ["4:22 BH1105 spec.stagedAction"]),
        (document("HostEndpoint", "spec: {node: n}"), ["2:7 BH1202 kind"]),
        (document("Profile", "spec: {}"), ["2:7 BH1202 kind"]),
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
