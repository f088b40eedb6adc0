// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
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
        let labels =
            "service:io.kubernetes.service.name=db,service:io.kubernetes.service.namespace=shop,service:port:6/5432,"
            + "service:team=a"
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
            #expect(group.includesWorkloads && group.members == nil, "whoever has the address")
            #expect("\(group.labels)".contains("service:io.kubernetes.service.addresses"))
        }
        #expect(group.labels.labels.compactMap(ServicePort.init) == [ServicePort(proto: .tcp, number: .number(5432))])
    }

    @Test func `a service says on which ports its workloads are reached`() throws {
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: db, namespace: shop}
            spec:
              selector: {app: db}
              ports:
              - {name: a, port: 80, targetPort: 8080, nodePort: 30080}
              - {name: b, port: 53, protocol: UDP, targetPort: dns}
              - {name: c, port: 9, protocol: SCTP, appProtocol: x}
            """
        let group = try #require(read(service).policies.first?.prefixGroup)
        #expect(
            Set(group.labels.labels.compactMap(ServicePort.init)) == [
                ServicePort(proto: .tcp, number: .number(8080)), ServicePort(proto: .udp, number: .named("dns")),
                ServicePort(proto: .sctp, number: .number(9)),
            ])
        let slice = """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
            addressType: IPv4
            ports: [{name: all, port: null, protocol: UDP}, {}]
            """
        let all = try #require(read(slice).policies.first?.prefixGroup)
        #expect(
            Set(all.labels.labels.compactMap(ServicePort.init)) == [
                ServicePort(proto: .udp, number: .all), ServicePort(proto: .tcp, number: .all),
            ])
        for text in ["port:tcp/1", "port:6", "port:6/x", "port:6/70000", "port:300/1", "ports"] {
            #expect(ServicePort(Label(source: LabelSource.service, key: text)) == nil)
        }
        #expect(ServicePort(Label(source: LabelSource.any, key: "port:6/1")) == nil)
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
            (
                "{apiVersion: v1, kind: Service, metadata: {name: n}, spec: {ports: [{port: 0}]}}",
                "1:76 BH1303 spec.ports[0].port"
            ),
            (
                "{apiVersion: v1, kind: Service, metadata: {name: n}, spec: {ports: [{port: 1, protocol: ICMP}]}}",
                "1:89 BH1307 spec.ports[0].protocol"
            ),
            (
                "{apiVersion: v1, kind: Endpoints, metadata: {name: n}, subsets: "
                    + "[{addresses: [{ip: 192.0.2.1}], ports: [{port: 1}]}, {addresses: [{ip: 192.0.2.2}], ports: [{port: 2}]}]}",
                "1:149 BH1503 subsets[1].ports"
            ),
            ("{apiVersion: v1beta1, kind: Service, metadata: {name: n}}", "1:14 BH1201 apiVersion"),
        ])
    func refuses(text: String, expected: String) {
        #expect(findings(text) == [expected])
    }
}
