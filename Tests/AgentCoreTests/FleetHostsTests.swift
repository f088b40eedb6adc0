// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ControlAPI
import IdentityModel
import LinuxHost
import NetworkModel
import PolicyModel
import Testing

@testable import AgentCore

/// What hosts of a fleet tell of themselves, and what of it others believe.
@Suite struct FleetHostsTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let networks = [CIDR("192.0.2.0/24"), CIDR("2001:db8::/64")].compactMap(\.self)

    private static func addresses(_ texts: [String]) -> [IPAddress] { texts.compactMap { IPAddress($0) } }

    private static func host(_ node: String, _ texts: String...) -> ClusterWorkload {
        ClusterWorkload(host: node, addresses: addresses(texts))
    }

    private static func prefixes(_ hosts: FleetHosts) -> [String: [String]] {
        hosts.policies.values.reduce(into: [:]) { prefixes, policy in
            prefixes[policy.reference.name] = policy.prefixGroup?.prefixes.map { "\($0.address)" }
        }
    }

    @Test func `an address counts inside the named prefixes, if it is nobody else's`() {
        var hosts = FleetHosts()
        hosts.known = [
            "b/": Self.host("b", "192.0.2.2", "10.0.0.1", "2001:db8::2"),
            "c/": Self.host("c", "192.0.2.2", "192.0.2.1"),
        ]
        let own = Self.addresses(["192.0.2.1"])
        let touched = hosts.settle(in: Self.networks) { own.contains($0) }
        #expect(touched.map(\.name) == ["b"] && Self.prefixes(hosts) == ["b": ["192.0.2.2", "2001:db8::2"]])
        #expect(hosts.problems["node b"]?.contains("10.0.0.1: in none of `cluster.hostNetworks`") == true)
        #expect(hosts.problems["node c"]?.contains("192.0.2.2: it is that of node b") == true)
        #expect(hosts.problems["node c"]?.contains("192.0.2.1: it is this host's own") == true)
        #expect(hosts.settle(in: Self.networks) { own.contains($0) }.isEmpty)
        hosts.known["b/"] = nil
        #expect(hosts.settle(in: Self.networks) { own.contains($0) }.count == 2)
        #expect(Self.prefixes(hosts) == ["c": ["192.0.2.2"]])
    }

    @Test func `without prefixes nobody is believed, and that is said`() {
        var hosts = FleetHosts()
        hosts.known = ["b/": Self.host("b", "192.0.2.2")]
        #expect(hosts.settle(in: []) { _ in false }.isEmpty && hosts.policies.isEmpty)
        #expect(hosts.problems["nodes"]?.contains("cluster.hostNetworks") == true)
        hosts.known = [:]
        _ = hosts.settle(in: []) { _ in false }
        #expect(hosts.problems.isEmpty)
    }

    @Test func `a host tells of its uplinks, and of no bridge for containers`() {
        let links = [
            NetworkLink(index: 1, name: "lo", isLoopback: true), NetworkLink(index: 2, name: "eth0"),
            NetworkLink(index: 3, name: "podman0", kind: "bridge"),
            NetworkLink(index: 4, name: "veth0", kind: "veth", master: 3),
            NetworkLink(index: 5, name: "br0", kind: "bridge"), NetworkLink(index: 6, name: "eth1", master: 5),
            NetworkLink(index: 7, name: "empty0", kind: "bridge"),
        ]
        let addresses = links.filter { $0.master == nil }.map {
            InterfaceAddress(
                linkIndex: $0.index, address: IPAddress(v4: 0xc000_0200 + UInt32($0.index)), prefixLength: 24)
        }
        let other = InterfaceAddress(linkIndex: 2, address: IPAddress(v4: 0x0a00_0001), prefixLength: 24)
        let snapshot = NetworkSnapshot(links: links, addresses: addresses + [other])
        #expect(
            FleetHosts.published(snapshot, in: Self.networks) == Self.addresses(["192.0.2.2", "192.0.2.5"]))
        #expect(FleetHosts.published(snapshot, in: []).isEmpty)
    }

    private static let database = Workload(
        key: "test:db", name: "db", source: "test",
        labels: LabelSet([Label(source: LabelSource.kubernetes, key: "app", value: "db")]),
        addresses: Set(addresses(["10.0.0.1"])), interfaces: [])

    private static let entry = Array(
        """
        apiVersion: cilium.io/v2
        kind: CiliumClusterwideNetworkPolicy
        metadata: {name: db}
        spec: {endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEntities: [remote-node]}]}
        """.utf8)

    private func verdict(_ state: AgentState, _ from: String) async throws -> String {
        try await state.explain(ExplainRequest(from: from, to: "db", port: 5432, protocol: "tcp")).verdict
    }

    private func update(_ state: AgentState, _ change: ClusterChange) async {
        var letters = ClusterMailbox.Letters()
        letters.add(change)
        await state.update(cluster: letters)
    }

    @Test func `a host of the fleet is a node to rules, while it is told and believed`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/rules") {
            $0.nodeName = "here"
            $0.fleet.hostNetworks = Self.networks
        }
        await state.join("etcd", remembered: nil)
        await state.update(source: "test", workloads: [Self.database], state: "", location: "")
        let thief = Self.host("thief", "198.51.100.1")
        await update(
            state,
            .snapshot(
                ClusterContent(
                    documents: ["c/-/db": Self.entry],
                    workloads: [
                        "b/": Self.host("b", "192.0.2.2"), "thief/": thief, "here/": Self.host("here", "192.0.2.7"),
                    ])))
        #expect(try await verdict(state, "192.0.2.2") == "allow")
        for stranger in ["192.0.2.3", "198.51.100.1", "192.0.2.7"] {
            #expect(try await verdict(state, stranger) == "deny", "\(stranger)")
        }
        #expect(await state.clusterProblems().contains { $0.message.contains("198.51.100.1") })
        #expect(try await state.policy("b").origin == "cluster")
        await update(state, .delta(ClusterDelta(workloads: ["b/": Self.host("b", "192.0.2.3")])))
        #expect(try await verdict(state, "192.0.2.2") == "deny")
        #expect(try await verdict(state, "192.0.2.3") == "allow")
        // A document goes before what the host says.
        let document = Array(
            "{apiVersion: v1, kind: Node, metadata: {name: b}, status: {addresses: [{type: InternalIP, address: 192.0.2.9}]}}"
                .utf8)
        await update(state, .delta(ClusterDelta(documents: ["Node/-/b": document])))
        #expect(try await verdict(state, "192.0.2.3") == "deny")
        #expect(try await verdict(state, "192.0.2.9") == "allow")
        await update(state, .delta(ClusterDelta(documents: ["Node/-/b": nil], workloads: ["b/": nil])))
        #expect(try await verdict(state, "192.0.2.9") == "deny")
        #expect(try await verdict(state, "192.0.2.3") == "deny")
    }

    @Test func `who takes a workload's address for a host's gives the workload nothing`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/stolen") {
            $0.nodeName = "here"
            $0.fleet.hostNetworks = [CIDR("10.0.0.0/8")].compactMap(\.self)
        }
        await state.join("etcd", remembered: nil)
        let other = Workload(
            key: "test:web", name: "web", source: "test",
            labels: LabelSet([Label(source: LabelSource.kubernetes, key: "app", value: "web")]),
            addresses: Set(Self.addresses(["10.0.0.2"])), interfaces: [])
        await state.update(source: "test", workloads: [Self.database, other], state: "", location: "")
        await update(
            state,
            .snapshot(
                ClusterContent(
                    documents: ["c/-/db": Self.entry], workloads: ["b/": Self.host("b", "10.0.0.2", "10.0.0.9")])))
        #expect(try await verdict(state, "10.0.0.9") == "allow")
        #expect(try await verdict(state, "web") == "deny")
    }
}
