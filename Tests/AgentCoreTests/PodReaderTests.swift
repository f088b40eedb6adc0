// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KubernetesClient
import NetworkModel
import Testing

@testable import AgentCore

/// Pods as the API tells them, and how little of them is kept.
@Suite struct PodReaderTests {
    private let reader = PodReader(filter: LabelFilter(), node: "here")

    private func facts(_ text: String) throws -> PodFacts {
        let object = try #require(RawObject(try JSONView(Array(text.utf8))))
        return try reader.facts(of: object)
    }

    private func pod(_ name: String, node: String, address: String, status: String = "") throws -> PodFacts {
        try facts(
            """
            {"metadata":{"name":"\(name)","namespace":"shop","uid":"u-\(name)","creationTimestamp":"2026-01-01T00:00:01Z",
             "labels":{"app.kubernetes.io/name":"web","tier":"front","pod-template-hash":"\(name)"}},
             "spec":{"nodeName":"\(node)","serviceAccountName":"web",
              "initContainers":[{"name":"once","ports":[{"name":"never","containerPort":1}]},
               {"name":"beside","restartPolicy":"Always","ports":[{"name":"mesh","containerPort":15000,"protocol":"UDP"}]}],
              "containers":[{"name":"c","image":"web:1","ports":[{"name":"http","containerPort":8080},
               {"containerPort":9000},{"name":"odd","containerPort":70000}]}]},
             "status":{"podIP":"\(address)","podIPs":[{"ip":"\(address)"},{"ip":"fd00::2"}]\(status)}}
            """)
    }

    @Test func `of a pod what matters is kept, sorted`() throws {
        let pod = try pod("a", node: "here", address: "10.0.0.9")
        #expect(pod.node == "here" && pod.template.namespace == "shop")
        #expect(pod.template.labels.map(\.description) == ["k8s:app.kubernetes.io/name=web", "k8s:tier=front"])
        #expect(pod.template.serviceAccount == "web")
        #expect(
            pod.template.namedPorts.numbers == [
                NamedPort(proto: .udp, name: "mesh"): [15000], NamedPort(proto: .tcp, name: "http"): [8080],
            ])
        #expect(pod.addresses == [IPAddress("10.0.0.9"), IPAddress("fd00::2")].compactMap(\.self).sorted())
        #expect(pod.createdAt == 1_767_225_601_000_000)
        #expect(pod.own == PodFacts.Own(uid: "u-a", image: "web:1"))
        #expect(!pod.isTerminating && !pod.hasEnded && !pod.isHostNetwork)
    }

    @Test func `pods of one template share what they have in common, whatever tells them apart`() throws {
        let one = try pod("a", node: "n1", address: "10.0.0.1")
        let other = try pod("b", node: "n2", address: "10.0.0.2")
        #expect(one.template === other.template && one != other)
        #expect(one.own == nil, "only its own node asks for more")
    }

    @Test func `an end, a deletion and the host's network are noticed`() throws {
        #expect(try pod("a", node: "n", address: "10.0.0.1", status: #","phase":"Failed""#).hasEnded)
        #expect(try !pod("a", node: "n", address: "10.0.0.1", status: #","phase":"Sleeping""#).hasEnded)
        let gone = try facts(#"{"metadata":{"name":"a","deletionTimestamp":"2026-01-01T00:00:00Z"}}"#)
        #expect(gone.isTerminating && gone.node.isEmpty && gone.addresses.isEmpty)
        let host = try facts(#"{"metadata":{"name":"a"},"spec":{"hostNetwork":true},"status":{"podIP":"10.0.0.1"}}"#)
        #expect(host.isHostNetwork && host.addresses.isEmpty)
    }

    @Test func `what nobody asked for in a while is forgotten, what is asked for again is not`() {
        final class Box: Hashable, Sendable {
            let number: Int
            init(_ number: Int) { self.number = number }
            static func == (a: Box, b: Box) -> Bool { a.number == b.number }
            func hash(into hasher: inout Hasher) { hasher.combine(number) }
        }
        var values = SharedValues<Box>(room: 4)
        let first = values.shared(Box(0)), second = values.shared(Box(1))
        for round in 0..<10 {
            #expect(values.shared(Box(0)) === first)
            for number in 0..<3 { _ = values.shared(Box(100 + 3 * round + number)) }
        }
        #expect(values.shared(Box(1)) !== second)
    }
}
