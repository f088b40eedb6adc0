// SPDX-License-Identifier: Apache-2.0

extension DialectPage {
    /// Every page, in the order in which they are listed.
    package static let all = [
        DialectPage(name: "kubernetes", title: "NetworkPolicy", documents: [networkPolicy]),
        DialectPage(
            name: "cilium", title: "CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy",
            documents: [cilium("CiliumNetworkPolicy"), cilium("CiliumClusterwideNetworkPolicy")]),
        DialectPage(
            name: "admin", title: "AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy",
            documents: [
                admin("AdminNetworkPolicy", name: "x", "  priority: 1\n"),
                admin("BaselineAdminNetworkPolicy", name: "default", ""), clusterNetworkPolicy,
            ]),
        DialectPage(
            name: "calico", title: "Calico v3", meaning: ("Calico v3", "calico.md"),
            documents: CalicoDocuments.all),
        DialectPage(
            name: "objects", title: "Node, Service, Endpoints and EndpointSlice",
            documents: [node, service, endpoints, endpointSlice]),
        DialectPage(
            name: "own", title: "PolicyLogging", meaning: ("Policy log", "policy-log.md"), documents: [policyLogging]),
    ]

    private static let networkPolicy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: x}
        spec:
          podSelector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: Exists}]}
          policyTypes: [Ingress, Egress]
          ingress:
            - from: [{podSelector: {}}, {namespaceSelector: {matchLabels: {a: b}}}, {ipBlock: {cidr: 192.0.2.0/24}}]
              ports: [{port: 80}]
          egress:
            - to: [{podSelector: {}}, {ipBlock: {cidr: 192.0.2.0/24}}]
              ports: [{port: 80}]

        """

    private static func cilium(_ kind: String) -> String {
        """
        apiVersion: cilium.io/v2
        kind: \(kind)
        metadata: {name: x}
        spec:
          endpointSelector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: Exists}]}
          enableDefaultDeny: {ingress: true}
          ingress:
            - fromEndpoints: [{matchLabels: {a: b}}]
              authentication: {mode: disabled}
              toPorts: [{ports: [{port: "80"}]}]
            - fromCIDRSet: [{cidr: 192.0.2.0/24}]
            - icmps: [{fields: [{type: 8}]}]
          ingressDeny:
            - fromEndpoints: [{matchLabels: {a: b}}]
              toPorts: [{ports: [{port: "80"}]}]
          egress:
            - toEndpoints: [{matchLabels: {a: b}}]
              toPorts: [{ports: [{port: "80"}]}]
            - toCIDRSet: [{cidr: 192.0.2.0/24}]
            - toNodes: [{matchLabels: {a: b}}]
            - toServices: [{k8sService: {serviceName: a}}, {k8sServiceSelector: {selector: {}}}]
          egressDeny:
            - toEndpoints: [{matchLabels: {a: b}}]
              toPorts: [{ports: [{port: "80"}]}]

        """
    }

    private static func admin(_ kind: String, name: String, _ extra: String) -> String {
        """
        apiVersion: policy.networking.k8s.io/v1alpha1
        kind: \(kind)
        metadata: {name: \(name)}
        spec:
        \(extra)  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {a: b}}}}
          ingress:
            - name: x
              action: Allow
              from: [{namespaces: {}}, {pods: {namespaceSelector: {}, podSelector: {}}}]
              ports:
                - portNumber: {protocol: TCP, port: 80}
                - portRange: {start: 1, end: 2}
          egress:
            - action: Deny
              to: [{namespaces: {}}, {networks: [192.0.2.0/24]}, {nodes: {}}]
              ports: [{namedPort: http}]

        """
    }

    private static let node = """
        apiVersion: v1
        kind: Node
        metadata: {name: x, labels: {a: b}}
        status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}

        """

    private static let policyLogging = """
        apiVersion: bulkhead.dev/v1alpha1
        kind: PolicyLogging
        metadata: {name: x}
        spec: {verdicts: [deny]}

        """

    private static let service = """
        apiVersion: v1
        kind: Service
        metadata: {name: x, labels: {a: b}}
        spec: {selector: {a: b}, ports: [{port: 80}]}

        """

    private static let endpoints = """
        apiVersion: v1
        kind: Endpoints
        metadata: {name: x}
        subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]

        """

    private static let endpointSlice = """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: x, labels: {kubernetes.io/service-name: x}}
        addressType: IPv4
        endpoints: [{addresses: [192.0.2.1]}]
        ports: [{port: 80}]

        """

    private static let clusterNetworkPolicy = """
        apiVersion: policy.networking.k8s.io/v1alpha2
        kind: ClusterNetworkPolicy
        metadata: {name: x}
        spec:
          tier: Admin
          priority: 1
          subject: {pods: {namespaceSelector: {}, podSelector: {}}}
          ingress:
            - action: Accept
              from: [{namespaces: {}}, {pods: {namespaceSelector: {}, podSelector: {}}}]
              protocols: [{tcp: {destinationPort: {number: 80}}}, {udp: {destinationPort: {range: {start: 1, end: 2}}}}]
          egress:
            - action: Deny
              to: [{networks: [192.0.2.0/24]}]
              protocols: [{sctp: {destinationPort: {number: 80}}}]

        """
}
