// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import Testing

@testable import ContainerRuntimes
@testable import LinuxHost

@Suite struct WorkloadGroupingTests {
    private let grouping = WorkloadGrouping(runtime: "podman", hostNamespaceInode: 1)

    private func record(
        _ id: String, created: String = "2026-01-01", labels: [String: String] = [:], isInfra: Bool = false,
        pod: ContainerRecord.Pod? = nil
    ) -> ContainerRecord {
        ContainerRecord(
            id: id, name: "name-\(id)", labels: labels, image: "image-\(id)", pid: 10, createdAt: created, pod: pod,
            isInfra: isInfra, sandboxPath: nil)
    }

    private func interfaces(_ inode: UInt64, kind: String?, hostIndex: Int32?) -> NamespaceInterfaces {
        let link = NetworkLink(index: 2, name: "eth0", kind: kind)
        let addresses = [
            InterfaceAddress(linkIndex: 2, address: IPAddress(v4: 0x0a00_0002), prefixLength: 24),
            InterfaceAddress(
                linkIndex: 2, address: IPAddress(high: 0xfe80 << 48, low: 1), prefixLength: 64, isLinkScoped: true),
        ]
        return NamespaceInterfaces(
            inode: inode, interfaces: [NamespaceInterface(link: link, addresses: addresses, hostIndex: hostIndex)])
    }

    @Test func `routable and link-local addresses are told apart`() {
        let found = grouping.workloads(
            [.init(record: record("a"), namespaceInode: 5)],
            interfaces: [5: .success(interfaces(5, kind: "veth", hostIndex: 7))])
        #expect(
            found.map(\.interfaces) == [
                [
                    WorkloadInterface(
                        hostIndex: 7, name: "eth0", addresses: [IPAddress(v4: 0x0a00_0002)],
                        linkLocalAddresses: [IPAddress(high: 0xfe80 << 48, low: 1)])
                ]
            ])
        #expect(found.allSatisfy { $0.problem == nil })
    }

    @Test func `of containers in one namespace the first gives the name and wins conflicts`() {
        let members = [
            WorkloadGrouping.Member(
                record: record("b", created: "2026-01-02", labels: ["app": "b", "only": "b"]), namespaceInode: 5),
            WorkloadGrouping.Member(
                record: record("c", created: "2026-01-01", labels: ["app": "c"]), namespaceInode: 5),
        ]
        let found = grouping.workloads(members, interfaces: [5: .success(interfaces(5, kind: "veth", hostIndex: 7))])
        #expect(found.map(\.id) == ["podman:c"])
        #expect(
            found.first?.labels == [
                Label(source: LabelSource.container, key: "app", value: "c"),
                Label(source: LabelSource.container, key: "only", value: "b"),
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "default"),
            ])
    }

    @Test func `a pod gives name and id, its labels win, its infra container's image does not count`() {
        let pod = ContainerRecord.Pod(id: "p", name: "shop", labels: ["app": "pod"])
        let members = [
            WorkloadGrouping.Member(record: record("a", labels: ["app": "a"], pod: pod), namespaceInode: 5),
            WorkloadGrouping.Member(record: record("i", isInfra: true, pod: pod), namespaceInode: 5),
        ]
        let found = grouping.workloads(members, interfaces: [:])
        #expect(found.map(\.id) == ["podman:p"])
        #expect(found.first?.name == "shop")
        #expect(found.first?.image == "image-a")
        #expect(found.first?.labels.first?.value == "pod")
    }

    @Test func `containers on the host's network stay apart and say so`() {
        let members = ["a", "b"].map { WorkloadGrouping.Member(record: record($0), namespaceInode: 1) }
        let found = grouping.workloads(members, interfaces: [:])
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.problem?.contains("host's network") == true && $0.interfaces.isEmpty })
    }

    @Test(arguments: [
        ("tun", "bridge network"), ("veth", "another network namespace"), ("macvlan", "macvlan"),
    ]) func `a link without an end on the host is named`(kind: String, word: String) {
        let found = grouping.workloads(
            [.init(record: record("a"), namespaceInode: 5)],
            interfaces: [5: .success(interfaces(5, kind: kind, hostIndex: nil))])
        #expect(found.first?.problem?.contains(word) == true)
    }
}

@Suite struct WorkloadLabelsTests {
    @Test(
        arguments: [
            ([:], "default"), (["bulkhead.dev/namespace": "a"], "a"),
            (["bulkhead.dev/namespace": "a", "io.kubernetes.pod.namespace": "b"], "b"),
            (["io.kubernetes.pod.namespace": ""], "default"),
        ] as [([String: String], String)]) func `the namespace comes from the first label that has one`(
            labels: [String: String], namespace: String
        )
    {
        #expect(WorkloadLabels.namespace(labels) == namespace)
    }

    @Test func `ports are read, entries that make no sense are left out`() {
        let text = "http=8080/tcp, dns=53/UDP,plain=9000,=1,zero=0,big=70000,other=1/icmp,x"
        #expect(
            WorkloadLabels.namedPorts([WorkloadLabels.portsKey: text]) == [
                NamedPort(name: "http", port: 8080, transport: .tcp), NamedPort(name: "dns", port: 53, transport: .udp),
                NamedPort(name: "plain", port: 9000, transport: .tcp),
            ])
    }
}

@Suite struct WorkloadReporterTests {
    private func workload(_ id: String, name: String = "") -> Workload { Workload(id: id, name: name, runtime: "x") }

    @Test func `only what differs is reported, removals first`() {
        var reporter = WorkloadReporter()
        _ = reporter.snapshot(of: [workload("a"), workload("b")])
        #expect(reporter.changes(to: [workload("a"), workload("b")]).isEmpty)
        #expect(
            reporter.changes(to: [workload("b", name: "new"), workload("c")]) == [
                .removed(id: "a"), .upsert(workload("b", name: "new")), .upsert(workload("c")),
            ])
    }
}

@Suite struct EngineEventTests {
    @Test(
        arguments: [
            (#"{"Type":"container","Action":"start","Actor":{"ID":"c1","Attributes":{"name":"web"}}}"#, "c1"),
            (#"{"Type":"container","Action":"rename","Actor":{"ID":"c1"}}"#, "c1"),
            (#"{"Type":"network","Action":"connect","Actor":{"ID":"c1","Attributes":{"name":"web"}}}"#, "c1"),
            (#"{"Type":"network","Action":"connect","Actor":{"ID":"n1","Attributes":{"container":"c1"}}}"#, "c1"),
            (#"{"Type":"container","Action":"exec_start: sh","Actor":{"ID":"c1"}}"#, nil),
            (#"{"Type":"image","Action":"pull","Actor":{"ID":""}}"#, nil),
            (#"{"Type":"network","Action":"create","Actor":{"ID":"n1"}}"#, nil),
            ("not json", nil), ("", nil),
        ] as [(String, String?)]) func `names the container to look at`(line: String, id: String?)
    {
        #expect(EngineEvent.containerID(Array(line.utf8)) == id)
    }
}
