// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

@Suite struct ClusterObjectTests {
    private func text(_ document: String) -> [String] {
        let set = read(document)
        #expect(set.diagnostics.map(\.description) == [])
        return set.policies.map(\.text)
    }

    @Test func `a node is its addresses with its labels`() {
        let node = """
            apiVersion: v1
            kind: Node
            metadata: {name: n1, labels: {zone: a}, annotations: {x: y}}
            spec: {podCIDR: 10.0.0.0/24}
            status:
              capacity: {cpu: "4"}
              addresses:
              - {type: InternalIP, address: 192.0.2.1}
              - {type: ExternalIP, address: "2001:db8::1"}
              - {type: Hostname, address: n1}
            """
        #expect(
            text(node) == [
                "Node/n1\n  defines 2 prefixes with node:io.kubernetes.node.name=n1,node:zone=a, workloads in them too"
            ])
        #expect(text("{apiVersion: v1, kind: Node, metadata: {name: n2}}").count == 1)
    }

    @Test func `a service is the workloads that it selects in its namespace`() {
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: db, namespace: shop, labels: {team: a}}
            spec: {type: ClusterIP, clusterIP: 10.96.0.1, selector: {app: db}, ports: [{port: 5432}]}
            """
        let labels = "service:io.kubernetes.service.name=db,service:io.kubernetes.service.namespace=shop,service:team=a"
        let members = "k8s:io.kubernetes.pod.namespace=shop,any:app=db"
        #expect(text(service) == ["Service/shop/db\n  defines 0 prefixes with \(labels), workloads of \(members)"])
        for none in ["{}", "null"] {
            let open = service.replacing("{app: db}", with: none)
            #expect(text(open) == ["Service/shop/db\n  defines 0 prefixes with \(labels)"], "everything is nobody")
        }
    }

    @Test func `endpoints and slices are the addresses that are ready`() throws {
        let endpoints = """
            apiVersion: v1
            kind: Endpoints
            metadata: {name: db, namespace: shop}
            subsets:
            - addresses: [{ip: 198.51.100.1, nodeName: n1}, {ip: 198.51.100.2}]
              notReadyAddresses: [{ip: 198.51.100.3}]
              ports: [{port: 5432}]
            """
        let slice = """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
            addressType: IPv4
            endpoints:
            - {addresses: [198.51.100.1, 198.51.100.2], conditions: {ready: true}}
            - {addresses: [198.51.100.3], conditions: {ready: false}}
            - {addresses: [198.51.100.4]}
            """
        let group = try #require(read(endpoints).policies.first?.prefixGroup)
        #expect(group.prefixes.map { "\($0)" } == ["198.51.100.1/32", "198.51.100.2/32"])
        let other = try #require(read(slice).policies.first?.prefixGroup)
        #expect(other.prefixes.map { "\($0)" } == ["198.51.100.1/32", "198.51.100.2/32", "198.51.100.4/32"])
        for group in [group, other] {
            #expect("\(group.labels)".contains("service:io.kubernetes.service.name=db"))
            #expect(!group.includesWorkloads && group.members == nil, "what is outside")
        }
    }

    @Test(
        "what is wrong has a place",
        arguments: [
            (
                "{apiVersion: v1, kind: Node, metadata: {name: n}, status: {addresses: [{type: InternalIP, address: n1}]}}",
                "1:100 BH1301 status.addresses[0].address"
            ),
            (
                "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: n}, addressType: IPv4}",
                "1:56 BH1103 metadata"
            ),
            (
                "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, "
                    + "metadata: {name: n, labels: {kubernetes.io/service-name: a}}, addressType: FQDN}",
                "1:131 BH1503 addressType"
            ),
            ("{apiVersion: v1, kind: Service, metadata: {name: n}, spec: {selecter: {}}}", "1:61 BH1102 spec.selecter"),
            ("{apiVersion: v1beta1, kind: Service, metadata: {name: n}}", "1:14 BH1201 apiVersion"),
        ])
    func refuses(text: String, expected: String) {
        #expect(findings(text) == [expected])
    }
}
