// SPDX-License-Identifier: Apache-2.0

/// A document of each kind of Calico that names every mapping once.
enum CalicoDocuments {
    static let all =
        [
            policy("NetworkPolicy", "{name: x, namespace: y}", global: ""),
            policy(
                "GlobalNetworkPolicy", "{name: x}",
                global: "  namespaceSelector: all()\n  doNotTrack: false\n  preDNAT: false\n  applyOnForward: false\n"),
            document("Tier", "{name: x}", "order: 10, defaultAction: Pass"),
            document("NetworkSet", "{name: x, namespace: y}", "nets: [192.0.2.0/24]"),
            document("GlobalNetworkSet", "{name: x}", "nets: [192.0.2.0/24]"),
            document(
                "HostEndpoint", "{name: x}",
                "node: n, interfaceName: \"*\", expectedIPs: [192.0.2.1], profiles: [p], "
                    + "ports: [{name: http, protocol: TCP, port: 80}]"),
            document(
                "Profile", "{name: x}",
                "labelsToApply: {a: b}, ingress: [{action: Allow}], egress: [{action: Deny}]"),
            document(
                "StagedNetworkPolicy", "{name: x, namespace: y}",
                "stagedAction: Set, ingress: [{action: Allow}], egress: [{action: Deny}]"),
            document(
                "StagedGlobalNetworkPolicy", "{name: x}",
                "stagedAction: Set, ingress: [{action: Allow}], egress: [{action: Deny}]"),
            document("StagedKubernetesNetworkPolicy", "{name: x, namespace: y}", "stagedAction: Set, podSelector: {}"),
        ]

    private static func document(_ kind: String, _ metadata: String, _ spec: String) -> String {
        "apiVersion: projectcalico.org/v3\nkind: \(kind)\nmetadata: \(metadata)\nspec: {\(spec)}\n"
    }

    private static func policy(_ kind: String, _ metadata: String, global: String) -> String {
        """
        apiVersion: projectcalico.org/v3
        kind: \(kind)
        metadata: \(metadata)
        spec:
          tier: default
          order: 10
          selector: all()
          serviceAccountSelector: all()
          types: [Ingress, Egress]
        \(global)  performanceHints: [AssumeNeededOnEveryNode]
          ingress:
            - action: Allow
              protocol: ICMP
              icmp: {type: 8}
              notICMP: {type: 3, code: 1}
              source: {selector: all(), nets: [192.0.2.0/24], serviceAccounts: {names: [a], selector: all()}}
              destination: {selector: all()}
              metadata: {annotations: {a: b}}
            - action: Allow
              source: {services: {name: a, namespace: b}}
          egress:
            - action: Deny
              protocol: TCP
              source: {selector: all()}
              destination: {notNets: [192.0.2.0/24], ports: [80]}
            - action: Allow
              destination: {services: {name: a, namespace: b}}

        """
    }
}
