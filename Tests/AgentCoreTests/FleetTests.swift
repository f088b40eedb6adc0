// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterStore
import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import Synchronization
import Testing

@testable import AgentCore

/// What a node tells its fleet, and how it is configured to.
@Suite struct FleetTests {
    /// Notes what it is told.
    private final class NotingStore: FleetStore {
        let told = Mutex<[[String: ClusterWorkload]]>([])

        func publish(workloads: [String: ClusterWorkload]) { told.withLock { $0.append(workloads) } }

        var last: [String: ClusterWorkload]? { told.withLock { $0.last } }
    }

    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static func workload(_ name: String, _ addresses: [String], source: String = "test") -> Workload {
        let labels = [
            Label(source: LabelSource.kubernetes, key: "app", value: name),
            Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
        ]
        return Workload(
            key: "\(source):\(name)", name: name, source: source, labels: LabelSet(labels),
            addresses: Set(addresses.compactMap { IPAddress($0) }), interfaces: [],
            namedPorts: NamedPorts([NamedPort(proto: .tcp, name: "http"): [80]]))
    }

    @Test func `workloads are told once all sources have spoken, as they are in force`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/a", awaiting: ["test", "late"]) {
            $0.nodeName = "here"
        }
        let store = NotingStore()
        await state.use(store)
        await state.update(source: "test", workloads: [Self.workload("web", ["10.1.0.2"])], state: "", location: "")
        #expect(store.last == nil, "the source that did not speak yet may have workloads that are published")
        await state.update(source: "late", workloads: nil, state: "cannot be reached", location: "")
        let web = try #require(store.last?["shop/web"])
        #expect(store.last?.count == 1 && web.node == "here" && web.addresses == [IPAddress("10.1.0.2")])
        #expect(web.labels == Self.workload("web", []).labels && web.namedPorts.numbers.count == 1)
        await state.update(source: "test", workloads: [], state: "", location: "")
        #expect(store.last == [:])
    }

    @Test func `what is no workload of this node alone, or has no address for others, is not told`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/b") {
            $0.fleet.networks = [CIDR("10.1.0.0/16"), CIDR("fd00:1::/64")].compactMap(\.self)
        }
        let store = NotingStore()
        await state.use(store)
        let workloads = [
            Self.workload("both", ["10.1.0.2", "10.2.0.2", "fd00:1::2", "fe80::2"]),
            Self.workload("behind", ["10.88.0.2"]), Self.workload("shop/pod", ["10.1.0.3"]),
            Self.workload("newcomer", ["10.1.0.4"], source: NewcomerSource.name),
            Self.workload("attached", ["10.1.0.5"], source: Attachment.source),
            Workload(
                key: "host", name: "host", source: HostSource.name,
                labels: LabelSet([Label(source: LabelSource.reserved, key: "host")]),
                addresses: [try #require(IPAddress("10.1.0.1"))], interfaces: [], options: [.host]),
        ]
        await state.update(source: "test", workloads: workloads, state: "", location: "")
        #expect(store.last?.keys.sorted() == ["shop/both", "shop/pod"])
        #expect(store.last?["shop/both"]?.addresses == ["10.1.0.2", "fd00:1::2"].compactMap { IPAddress($0) })
    }

    @Test func `an installation keeps its name, and no other has it`() throws {
        let first = try InstanceName(path: "\(scratch.path)/one").value()
        #expect(try InstanceName(path: "\(scratch.path)/one").value() == first && first.count > 12)
        #expect(try InstanceName(path: "\(scratch.path)/two").value() != first)
        #expect(throws: AgentError.self) { try InstanceName(path: "\(scratch.path)/none/x").value() }
    }

    private func read(_ text: String) throws -> AgentConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(Array(text.utf8), file: "agent.yaml")
        return configuration
    }

    @Test func `a configuration says all that is needed to reach the store`() throws {
        try StateStorage.write(bytes: Array("se cret\n# not this\n".utf8), to: "\(scratch.path)/password")
        let configuration = try read(
            """
            nodeName: n1
            cluster:
              endpoints: ["https://10.0.0.1:2379", "https://[fd00::1]"]
              user: node
              passwordFile: \(scratch.path)/password
              prefix: /fleets/blue
              leaseTime: 20s
              grace: 1m
              networks: [10.1.0.0/16]
            """)
        try configuration.checkFiles()
        let store = try configuration.fleet.configuration(instance: "i")
        #expect(store.endpoints.map(\.description) == ["https://10.0.0.1:2379", "https://[fd00::1]:2379"])
        #expect(store.credentials == .init(user: "node", password: "se cret") && store.prefix == "/fleets/blue")
        #expect(store.leaseTime == .seconds(20) && store.grace == .seconds(60) && store.instance == "i")
        #expect(try !read("cluster: {enabled: false}").fleet.isEnabled)
    }

    @Test(arguments: [
        ("cluster: {prefix: /x}", "1:10: `endpoints` is missing"),
        ("cluster: {endpoints: [10.0.0.1]}", "1:23: \"10.0.0.1\" is no member of a store"),
        ("cluster: {endpoints: [\"http://h\"], user: u}", "`user` and `passwordFile` belong together"),
        ("cluster: {endpoints: [\"http://h\"], tls: {authorities: a}}", "not every endpoint begins with https://"),
        ("cluster: {endpoints: [\"https://h\"], tls: {key: a}}", "`certificate` and `key` belong together"),
        ("cluster: {endpoints: [\"https://h\"], prefix: x/}", "is no prefix"),
        ("cluster: {endpoints: [\"https://h\"], leaseTime: 1s}", "at least 5.0 seconds"),
        ("cluster: {endpoints: [\"https://h\"], networks: [x]}", "\"x\" is not an address"),
        ("kubernetes: {}\ncluster: {endpoints: [\"https://h\"]}", "exclude each other"),
    ])
    func `what cannot work is refused with its place`(text: String, expected: String) {
        do {
            _ = try read(text)
            Issue.record("accepted: \(text)")
        } catch {
            #expect("\(error)".hasPrefix("agent.yaml:") && "\(error)".contains(expected))
        }
    }

    @Test(arguments: [
        "passwordFile: /none/password, user: u", "tls: {authorities: /none/ca.pem}",
        "tls: {certificate: /none/a, key: /none/b}",
    ])
    func `files that are not there are found by a check`(text: String) throws {
        let configuration = try read("{nodeName: n, cluster: {endpoints: [\"https://h\"], \(text)}}")
        #expect(throws: StoreError.self) { try configuration.checkFiles() }
    }
}
