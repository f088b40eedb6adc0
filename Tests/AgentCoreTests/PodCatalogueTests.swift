// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ContainerRuntimes
import IdentityModel
import KubernetesClient
import NetworkModel
import Testing

@testable import AgentCore

/// Pods and namespaces come in any order; an address has one owner.
@Suite struct PodCatalogueTests {
    private var catalogue = PodCatalogue(filter: LabelFilter(), node: "n1")

    private func address(_ number: UInt32) -> IPAddress { IPAddress(v4: 0x0acb_0000 + number) }

    private func pod(_ name: String, _ number: UInt32?, _ change: (inout PodFacts) -> Void = { _ in }) -> PodFacts {
        var pod = PodFacts(
            template: PodTemplate(
                namespace: "shop",
                labels: [Label(source: LabelSource.kubernetes, key: "app", value: name)], serviceAccount: "default",
                namedPorts: NamedPorts([IdentityModel.NamedPort(proto: .tcp, name: "http"): [80]])),
            node: "n1", addresses: number.map { [address($0)] } ?? [], createdAt: 1,
            own: .init(uid: "uid-\(name)", image: nil))
        change(&pod)
        return pod
    }

    private func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "shop", name: name) }

    private mutating func set(_ name: String, _ pod: PodFacts?) { catalogue.set(key(name), pod) }

    @Test mutating func `a pod is a workload once its namespace is known, whichever is told first`() {
        set("web", pod("web", 1))
        #expect(catalogue.takeChanges() == ["shop/web": nil])
        #expect(catalogue.records().isEmpty)
        catalogue.set(namespace: "shop", labels: ["team": "a", "kubernetes.io/metadata.name": "shop"])
        let labels = [
            "k8s:app=web", "k8s:io.cilium.k8s.namespace.labels.team=a",
            "k8s:io.cilium.k8s.policy.serviceaccount=default", "k8s:io.kubernetes.pod.namespace=shop",
        ]
        var changes = catalogue.takeChanges()
        let web = changes["shop/web"].flatMap(\.self)
        #expect(web?.labels.labels.map(\.description) == labels)
        #expect(web?.addresses == [address(1)] && web?.node == "n1")
        #expect(web?.namedPorts.numbers.values.first == [80])
        #expect(catalogue.takeAll() == ["shop/web": web].compactMapValues(\.self))
        // Labels of a namespace are those of all its pods.
        set("db", pod("db", 2))
        _ = catalogue.takeChanges()
        catalogue.set(namespace: "shop", labels: ["team": "b"])
        changes = catalogue.takeChanges()
        #expect(changes.keys.sorted() == ["shop/db", "shop/web"])
        #expect(
            changes["shop/db"]??.labels.labels.map(\.description).contains("k8s:io.cilium.k8s.namespace.labels.team=b")
                == true)
        catalogue.set(namespace: "shop", labels: ["team": "b"])
        #expect(catalogue.takeChanges().isEmpty)
        catalogue.set(namespace: "shop", labels: nil)
        #expect(catalogue.takeChanges() == ["shop/db": nil, "shop/web": nil])
    }

    @Test mutating func `an address is the newest pod's that nobody deleted`() {
        catalogue.set(namespace: "shop", labels: [:])
        set("old", pod("old", 1))
        set("other", pod("other", 2))
        _ = catalogue.takeChanges()
        set("new", pod("new", 1) { $0.createdAt = 5 })
        var changes = catalogue.takeChanges()
        #expect(changes.keys.sorted() == ["shop/new", "shop/old"])
        #expect(changes["shop/old"] == .some(nil) && changes["shop/new"]??.addresses == [address(1)])
        // Deleted, it loses it to the older one, though it was made later.
        set(
            "new",
            pod("new", 1) {
                $0.createdAt = 5
                $0.isTerminating = true
            })
        changes = catalogue.takeChanges()
        #expect(changes["shop/new"] == .some(nil) && changes["shop/old"]??.addresses == [address(1)])
        set("old", nil)
        changes = catalogue.takeChanges()
        #expect(changes["shop/old"] == .some(nil) && changes["shop/new"]??.addresses == [address(1)])
    }

    @Test mutating func `ended pods and those with the host's network are no workloads`() {
        catalogue.set(namespace: "shop", labels: [:])
        set("job", pod("job", 1) { $0.hasEnded = true })
        set("next", pod("next", 1) { $0.createdAt = 0 })
        set("host", pod("host", 3) { $0.isHostNetwork = true })
        set("waiting", pod("waiting", nil))
        set("unscheduled", pod("unscheduled", 4) { $0.node = "" })
        #expect(catalogue.takeAll().mapValues(\.addresses) == ["shop/next": [address(1)]])
        // What starts is a workload of its node before it has an address.
        let records = catalogue.records()
        #expect(records.values.map(\.name).sorted() == ["host", "next", "waiting"])
        #expect(records["uid-host"]?.isHostNetwork == true && records["uid-host"]?.addresses == [])
        set("next", pod("next", 1) { $0.node = "n2" })
        #expect(catalogue.records()["uid-next"] == nil && catalogue.takeAll()["shop/next"]?.node == "n2")
    }

    @Test mutating func `lists that are complete take what they do not name`() {
        catalogue.replaceNamespaces(["shop": [:], "x": [:]])
        catalogue.replacePods([key("a"): pod("a", 1), key("b"): pod("b", 2)])
        #expect(catalogue.takeChanges().count == 2)
        catalogue.replacePods([key("b"): pod("b", 2), key("c"): pod("c", 1)])
        let changes = catalogue.takeChanges()
        #expect(changes.keys.sorted() == ["shop/a", "shop/c"] && changes["shop/a"] == .some(nil))
        catalogue.replaceNamespaces(["x": [:]])
        let gone = catalogue.takeChanges()
        #expect(gone.count == 2 && gone.values.allSatisfy { $0 == nil } && catalogue.takeAll().isEmpty)
    }
}
