// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NetworkModel
import Testing

@testable import AgentCore

@Suite struct AddressClaimsTests {
    /// br0 (2) with the ports 5 and 6, a routed link 7, a plain bridge (3) with the ports 8 and 9, br1 (10) with the
    /// port 11, the host's own device 1 with the default route.
    private static let network: HostNetwork = {
        let links = [
            NetworkLink(index: 1, name: "eth0"), NetworkLink(index: 2, name: "br0", kind: "bridge"),
            NetworkLink(index: 3, name: "plain", kind: "bridge"), NetworkLink(index: 10, name: "br1", kind: "bridge"),
            NetworkLink(index: 5, name: "v5", kind: "veth", master: 2),
            NetworkLink(index: 6, name: "v6", kind: "veth", master: 2), NetworkLink(index: 7, name: "v7", kind: "veth"),
            NetworkLink(index: 8, name: "v8", kind: "veth", master: 3),
            NetworkLink(index: 9, name: "v9", kind: "veth", master: 3),
            NetworkLink(index: 11, name: "v11", kind: "veth", master: 10),
        ]
        let addresses = [
            (1, "192.0.2.10", 24), (2, "10.0.0.1", 24), (2, "fd00::1", 64), (2, "fe80::1", 64), (10, "10.1.0.1", 24),
            (3, "fe80::3", 64),
        ].map { InterfaceAddress(linkIndex: $0, address: address($1), prefixLength: $2) }
        return HostNetwork(NetworkSnapshot(links: links, addresses: addresses), routes: RouteTable(routes))
    }()

    private static let routes = [
        route("0.0.0.0", 0, 1, via: "192.0.2.1"), route("192.0.2.0", 24, 1), route("10.0.0.0", 24, 2),
        route("fd00::", 64, 2), route("fe80::", 64, 2), route("fe80::", 64, 3), route("10.1.0.0", 24, 10),
        route("10.7.0.2", 32, 7), route("fd00:7::2", 128, 7), route("10.8.0.0", 16, 2, via: "10.0.0.2"),
        HostRoute(CIDR(address("10.0.0.255"), length: 32), table: 255, isOwn: true),
        HostRoute(CIDR(address("10.0.0.66"), length: 32)),
    ]

    private static func route(_ text: String, _ length: Int, _ device: Int32, via: String? = nil) -> HostRoute {
        HostRoute(
            CIDR(address(text), length: length), hops: [.init(device: device, gateway: via.map(address))])
    }

    private func grant(
        _ workloads: [Workload], after previous: [Workload] = [], _ network: HostNetwork? = network
    ) -> [String: Workload] {
        AddressClaims(network: network, previous: byKey(previous)).grant(to: byKey(workloads))
    }

    @Test(arguments: [
        ("10.0.0.2", true), ("fd00::2", true), ("fe80::2", true),
        ("10.0.0.1", false), ("fd00::1", false), ("fe80::1", false), ("192.0.2.10", false),  // the host's
        ("10.0.0.255", false), ("255.255.255.255", false), ("127.0.0.2", false), ("::1", false), ("::", false),
        ("0.0.0.1", false), ("224.0.0.5", false), ("ff02::5", false),
        ("203.0.113.5", false), ("2001:db8::5", false), ("192.0.2.77", false), ("10.1.0.7", false),  // elsewhere
        ("10.7.0.2", false), ("10.0.0.66", false),
    ]) func `an address read behind a routed bridge must be of that bridge`(text: String, isGranted: Bool) {
        let result = grant([workload("a", interfaces: [5], read: [text])])["a"]
        #expect(result?.addresses == (isGranted ? [address(text)] : []))
        #expect(result?.readAddresses == result?.addresses)
        #expect(result?.concerns.isEmpty == isGranted)
        #expect(isGranted || result?.concerns.first?.contains("\(address(text)): ") == true)
    }

    @Test func `what is routed to an address of its own may be its own`() {
        let owner = workload("a", interfaces: [5], read: ["10.0.0.2", "10.8.1.1"])
        #expect(grant([owner])["a"]?.addresses == owner.addresses)
        #expect(grant([workload("b", interfaces: [6], read: ["10.0.0.3", "10.8.1.1"])])["b"]?.addresses.count == 1)
    }

    @Test func `a link without a bridge has what the host routes there, and nothing else`() {
        let result = grant([workload("a", interfaces: [7], read: ["10.7.0.2", "fd00:7::2", "10.7.0.3", "203.0.113.5"])])
        #expect(result["a"]?.addresses == Set(["10.7.0.2", "fd00:7::2"].map(address)))
    }

    @Test func `behind a bridge that the host has no part in any address will do but another network's`() {
        let neighbours = [workload("x", interfaces: [5]), workload("y", interfaces: [11])]
        let claims = ["192.0.2.77", "172.16.0.1", "2001:db8::5", "10.0.0.2", "fd00::2", "10.1.0.9", "192.0.2.1"]
        let result = grant(neighbours + [workload("a", interfaces: [8], read: claims)])["a"]
        #expect(result?.addresses == Set(claims.prefix(3).map(address)))
        #expect(result?.concerns.first?.contains("and 1 more") == true)
    }

    @Test func `a VLAN on the bridge is a way to its ports`() {
        let links = [
            NetworkLink(index: 2, name: "br0", kind: "bridge"), NetworkLink(index: 5, name: "v5", master: 2),
            NetworkLink(index: 4, name: "br0.7", kind: "vlan", peerIndex: 2),
        ]
        let network = HostNetwork(
            NetworkSnapshot(links: links), routes: RouteTable([Self.route("10.0.7.0", 24, 4)]))
        let result = grant([workload("a", interfaces: [5], read: ["10.0.7.2", "10.0.8.2"])], network)
        #expect(result["a"]?.addresses == [address("10.0.7.2")])
    }

    @Test func `the first owner keeps it, and both are named`() {
        let victim = workload("victim", interfaces: [5], read: ["10.0.0.2", "fd00::2"])
        let thief = workload("thief", interfaces: [6], read: ["10.0.0.2", "fd00::2", "10.0.0.3"])
        let result = grant([victim, thief], after: [victim])
        #expect(result["victim"]?.addresses == victim.addresses && result["victim"]?.concerns.isEmpty == true)
        #expect(result["thief"]?.addresses == [address("10.0.0.3")])
        #expect(
            result["thief"]?.concerns == ["refused address 10.0.0.2: it is victim's; fd00::2: it is victim's"])
        // Given up, it changes hands; the new owner then keeps it.
        let gone = workload("victim", interfaces: [5], read: ["fd00::2"])
        let second = grant([gone, thief], after: Array(result.values))
        #expect(second["thief"]?.addresses == Set(["10.0.0.2", "10.0.0.3"].map(address)))
        #expect(grant([victim, thief], after: Array(second.values))["victim"]?.addresses == [address("fd00::2")])
    }

    @Test func `claimed at the same time by two it is nobody's until one gives it up`() {
        let both = ["a", "b"].map { workload($0, interfaces: [$0 == "a" ? 5 : 6], read: ["10.0.0.2"]) }
        let first = grant(both)
        #expect(first.values.allSatisfy { $0.addresses.isEmpty && $0.concerns.count == 1 })
        #expect(first["a"]?.concerns.first?.contains("b claims it at the same time") == true)
        let second = grant(both, after: Array(first.values))
        #expect(second.values.allSatisfy { $0.addresses.isEmpty })
        #expect(grant([both[1]], after: Array(second.values))["b"]?.addresses.count == 1)
    }

    @Test func `a declared address needs no route and goes before one that was read earlier`() {
        let thief = workload("thief", interfaces: [5], read: ["10.0.0.9"])
        let declaring = workload("vm", interfaces: [6], declared: ["10.0.0.9", "203.0.113.5"])
        let result = grant([thief, declaring], after: [thief])
        #expect(result["vm"]?.addresses == declaring.addresses && result["thief"]?.addresses.isEmpty == true)
        // Not even a declaration makes the host's address another's.
        let host = grant([workload("vm", interfaces: [6], declared: ["10.0.0.1", "127.0.0.1"])])["vm"]
        #expect(host?.addresses.isEmpty == true)
    }

    @Test func `the flood of addresses of one workload is cut, its own first`() {
        let own = workload("a", interfaces: [5], read: ["10.0.0.250"])
        let many = (2...249).map { "10.0.0.\($0)" } + (1...99).map { "fe80::7:\($0)" }
        let flood = workload("a", interfaces: [5], read: ["10.0.0.250"] + many)
        let result = grant([flood], after: [own])["a"]
        #expect((250...AddressClaims.readAddressesMax).contains(result?.addresses.count ?? 0))
        #expect(result?.addresses.contains(address("10.0.0.250")) == true)
        #expect(result?.concerns.count == 1)
    }

    @Test func `an unknown network refuses nothing but what cannot be`() {
        let result = grant([workload("a", interfaces: [5], read: ["203.0.113.5", "127.0.0.1"])], nil)
        #expect(result["a"]?.addresses == [address("203.0.113.5")])
    }
}
