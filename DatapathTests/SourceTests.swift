// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathTests {
    /// Nobody speaks for another: IP, ARP, neighbour discovery, group membership.
    @Suite struct SourceTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        @Test(arguments: Family.allCases)
        func `an address that is not the endpoint's own is dropped: DROP_SOURCE_ADDRESS`(
            family: Family
        ) throws {
            for source in [family.peer, family.world, family.unspecified, family.allNodes] {
                let from = Packet.ip(source, to: family.stranger)
                for packet in [from.tcp(1, 2, .syn), from.udp(1, 2), from.echoRequest(3), from.gre()] {
                    let outcome = try fixture.send(packet)
                    outcome.expectDrop(DROP_SOURCE_ADDRESS)
                    #expect(outcome.event?.source == source)
                }
            }
            #expect(try fixture.flows().isEmpty)
            try fixture.send(Packet.ip(family.ownSecond, to: family.peer).udp(1, 2)).expectPass(state: .new)
        }

        @Test(arguments: Family.allCases) func `another endpoint's address is not this one's`(family: Family) throws {
            try fixture.maps.addresses.update(family.stranger.endpointKey(Fixture.endpoint + 1), to: 1)
            try fixture.send(Packet.ip(family.stranger, to: family.peer).udp(1, 2)).expectDrop(DROP_SOURCE_ADDRESS)
        }

        @Test(arguments: Family.allCases) func `an answer in the middle of nothing is checked too`(
            family: Family
        ) throws {
            let from = Packet.ip(family.stranger, to: family.peer)
            for packet in [from.tcp(80, 50000, .synAck), from.tcp(80, 50000, .ack), from.echoReply(1)] {
                try fixture.send(packet).expectDrop(DROP_SOURCE_ADDRESS)
            }
        }

        @Test(arguments: Family.allCases) func `an endpoint that forwards for others may be excepted`(
            family: Family
        ) throws {
            try fixture.setEndpoint(flags: ENDPOINT_NO_SOURCE_CHECK)
            try fixture.send(Packet.ip(family.stranger, to: family.peer).udp(1, 2)).expectPass(state: .new)
        }

        @Test(arguments: Family.allCases) func `a DHCP client may ask before it has an address`(
            family: Family
        ) throws {
            let isFour = family == .v4
            let source = isFour ? family.unspecified : .linkLocal(7)
            let servers = isFour ? IPAddress(v4: ~0) : IPAddress(high: 0xff02_0000_0000_0000, low: 0x1_0002)
            let (client, server): (UInt16, UInt16) = isFour ? (68, 67) : (546, 547)
            try fixture.send(Packet.ip(source, to: servers).udp(client, server)).expectPass(state: .new)
            let base = Packet.ip(source, to: servers)
            for packet in [base.udp(client, 53), base.udp(1, server), base.tcp(client, server, .syn)] {
                try fixture.send(packet).expectDrop(DROP_SOURCE_ADDRESS)
            }
            // Excepted from the check of its source, not from the policy.
            try fixture.forgetFlows()
            try fixture.commit(TestPolicy().defaultDeny(.egress))
            try fixture.send(base.udp(client, server)).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        // MARK: - ARP

        private func arp(_ sender: IPAddress, _ operation: UInt16 = 1) -> Packet {
            .arp(operation, sender: sender, target: Family.v4.peer)
        }

        @Test func `ARP for the endpoint's own address or for nobody passes without policy`() throws {
            try fixture.commit(TestPolicy().defaultDeny(.egress).defaultDeny(.ingress))
            for packet in [arp(Family.v4.own), arp(Family.v4.own, 2), arp(Family.v4.unspecified)] {
                let outcome = try fixture.send(packet)
                #expect(outcome.passed && outcome.events.isEmpty && outcome.count(METRIC_NOT_IP) == 1)
            }
            let reply = try fixture.send(arp(Family.v4.peer, 2), .toEndpoint)
            #expect(reply.passed && reply.count(METRIC_NOT_IP) == 1)
        }

        @Test func `ARP for another is dropped: DROP_ARP_SPOOFED`() throws {
            for operation: UInt16 in [1, 2] {
                let packet = arp(Family.v4.peer, operation)
                let outcome = try fixture.send(bytes: packet.bytes, length: packet.bytes.count, .fromEndpoint)
                outcome.expectDrop(DROP_ARP_SPOOFED)
                #expect(outcome.event?.source == Family.v4.peer && outcome.event?.family == 0)
            }
            let tagged = arp(Family.v4.peer).vlan(3)
            try fixture.send(bytes: tagged.bytes, length: tagged.bytes.count, .fromEndpoint).expectDrop(
                DROP_ARP_SPOOFED)
            try fixture.setEndpoint(flags: ENDPOINT_NO_SOURCE_CHECK)
            #expect(try fixture.send(arp(Family.v4.peer)).passed)
        }

        @Test func `ARP whose addresses have other sizes is dropped: DROP_ARP_SPOOFED`() throws {
            for (offset, byte): (Int, UInt8) in [(2, 0x86), (4, 8), (5, 16)] {
                let packet = arp(Family.v4.own).patch(offset, [byte])
                try fixture.send(bytes: packet.bytes, length: packet.bytes.count, .fromEndpoint).expectDrop(
                    DROP_ARP_SPOOFED)
            }
        }

        @Test func `ARP that ends too early is dropped: DROP_TRUNCATED`() throws {
            let packet = arp(Family.v4.own).truncated(to: 14 + 27)
            try fixture.send(bytes: packet.bytes, length: 41, .fromEndpoint).expectDrop(DROP_TRUNCATED)
        }

        // MARK: - Neighbour discovery

        private let six = Family.v6

        private func expectMaintenance(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
            outcome.expectPass(rule: UInt32(RULE_NEIGHBOR_DISCOVERY), state: nil, sourceLocation: sourceLocation)
        }

        /// The group of all addresses that end like this one (RFC 4291 §2.7.1).
        private func solicitedNode(_ address: IPAddress) -> IPAddress {
            let tail = address.headerBytes.suffix(3).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return IPAddress(high: 0xff02_0000_0000_0000, low: 0x1_ff00_0000 | tail)
        }

        @Test func `neighbour discovery for oneself passes without policy`() throws {
            try fixture.commit(TestPolicy().defaultDeny(.egress).defaultDeny(.ingress))
            let sources = [six.own, .linkLocal(2)]
            for source in sources {
                let all = Packet.ip(source, to: six.allNodes)
                let routers = Packet.ip(source, to: IPAddress(high: 0xff02_0000_0000_0000, low: 2))
                expectMaintenance(try fixture.send(routers.neighborDiscovery(133, target: nil)))
                let askers = Packet.ip(source, to: solicitedNode(six.peer))
                expectMaintenance(try fixture.send(askers.neighborDiscovery(135, target: six.peer)))
                expectMaintenance(try fixture.send(all.neighborDiscovery(136, target: six.own)))
                let one = Packet.ip(source, to: six.peer)
                expectMaintenance(try fixture.send(one.neighborDiscovery(135, target: six.peer)))
                expectMaintenance(try fixture.send(one.neighborDiscovery(136, target: six.own)))
                expectMaintenance(try fixture.send(one.neighborDiscovery(136, target: .linkLocal(2))))
            }
            // Duplicate address detection asks for nobody.
            let probe = Packet.ip(six.unspecified, to: solicitedNode(six.own)).neighborDiscovery(135, target: six.own)
            expectMaintenance(try fixture.send(probe))
            for type: UInt8 in 133...137 {
                let packet = Packet.ip(.linkLocal(9), to: six.own).neighborDiscovery(type, target: six.peer)
                expectMaintenance(try fixture.send(packet, .toEndpoint))
            }
        }

        @Test func `neighbour discovery for another is dropped: DROP_NEIGHBOR_SPOOFED`() throws {
            let own = Packet.ip(six.own, to: six.allNodes)
            let forged = [
                own.neighborDiscovery(136, target: six.peer), own.neighborDiscovery(134, target: nil),
                own.neighborDiscovery(137, target: six.peer),
                Packet.ip(.linkLocal(2), to: six.allNodes).neighborDiscovery(134, target: nil),
                Packet.ip(six.peer, to: six.allNodes).neighborDiscovery(135, target: six.world),
                Packet.ip(six.peer, to: six.allNodes).neighborDiscovery(133, target: nil),
                Packet.ip(six.peer, to: six.allNodes).listenerReport(six.allNodes),
            ]
            for packet in forged { try fixture.send(packet).expectDrop(DROP_NEIGHBOR_SPOOFED) }
            let hidden = own.extensionHeader(60).neighborDiscovery(136, target: six.peer)
            try fixture.send(hidden).expectDrop(DROP_NEIGHBOR_SPOOFED)
            let atomic = own.atomicFragmentHeader().neighborDiscovery(136, target: six.peer)
            try fixture.send(atomic).expectDrop(DROP_NEIGHBOR_SPOOFED)
        }

        @Test func `a link-local address that is known as another's cannot be claimed: DROP_NEIGHBOR_SPOOFED`() throws {
            var state = TestPolicy().mapState
            state.ipcache = Fixture.mappings
            let (router, neighbor, prefix) = (IPAddress.linkLocal(1), IPAddress.linkLocal(3), IPAddress.linkLocal(4))
            state.ipcache[CIDR(host: router)] = .host
            state.ipcache[CIDR(host: neighbor)] = Fixture.peerIdentity
            // A prefix that a policy names is nobody's address.
            state.ipcache[CIDR(host: prefix)] = NumericIdentity(rawValue: UInt32(IDENTITY_LOCAL_MIN))
            try fixture.commit(state)
            let own = Packet.ip(six.own, to: six.allNodes)
            for known in [router, neighbor] {
                let from = Packet.ip(known, to: six.allNodes)
                for packet in [
                    own.neighborDiscovery(136, target: known), from.neighborDiscovery(136, target: six.own),
                    from.neighborDiscovery(135, target: six.peer), from.neighborDiscovery(133, target: nil),
                ] { try fixture.send(packet).expectDrop(DROP_NEIGHBOR_SPOOFED) }
                // Asking for it is what everybody does.
                let question = Packet.ip(six.own, to: solicitedNode(known)).neighborDiscovery(135, target: known)
                expectMaintenance(try fixture.send(question))
            }
            for free in [prefix, .linkLocal(5)] {
                expectMaintenance(try fixture.send(own.neighborDiscovery(136, target: free)))
            }
            // Its own: the identity that the address has is the endpoint's.
            try fixture.addAddress(neighbor)
            expectMaintenance(
                try fixture.send(Packet.ip(neighbor, to: six.allNodes).neighborDiscovery(136, target: neighbor)))
            try fixture.removeAddress(neighbor)
            try fixture.setEndpoint(flags: ENDPOINT_NO_SOURCE_CHECK)
            expectMaintenance(try fixture.send(own.neighborDiscovery(136, target: router)))
        }

        @Test func `an advertisement without its target is dropped: DROP_ICMP_MALFORMED`() throws {
            let packet = Packet.ip(six.own, to: six.allNodes).neighborDiscovery(136, target: nil)
            try fixture.send(packet).expectDrop(DROP_ICMP_MALFORMED)
            let whole = Packet.ip(six.own, to: six.allNodes).neighborDiscovery(136, target: six.peer)
            try fixture.send(whole.fragment(0..<16)).expectDrop(DROP_ICMP_MALFORMED)
        }

        /// What a router would forward is no talk between neighbours.
        @Test func `neighbour discovery cannot carry anything beyond the link`() throws {
            try fixture.commit(TestPolicy().defaultDeny(.egress).defaultDeny(.ingress))
            let payload = [UInt8](repeating: 7, count: 200)
            let world = Packet.ip(six.own, to: six.world)
            for type: UInt8 in [133, 135, 136] {
                let body = type == 133 ? payload : six.own.headerBytes + payload
                try fixture.send(world.icmp(type, body: body).hopLimit(255)).expectDrop(
                    DROP_POLICY_DEFAULT_DENY, rule: 60)
                try fixture.send(world.icmp(type, body: body).hopLimit(64)).expectDrop(
                    DROP_POLICY_DEFAULT_DENY, rule: 60)
            }
            let global = IPAddress(high: 0xff0e_0000_0000_0000, low: 1)
            try fixture.send(Packet.ip(six.own, to: global).neighborDiscovery(135, target: six.peer).hopLimit(255))
                .expectDrop(DROP_LINK_PAYLOAD)
            let large = Packet.ip(six.own, to: global).icmp(135, body: six.own.headerBytes + payload).hopLimit(255)
            try fixture.send(large).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        // MARK: - Group membership

        @Test(arguments: Family.allCases) func `group membership passes on its own link only`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(.egress).defaultDeny(.ingress))
            let group = family == .v4 ? IPAddress(v4: 0xe000_00fb) : IPAddress(high: 0xff02_0000_0000_0000, low: 0xfb)
            let report = { (source: IPAddress, destination: IPAddress) -> Packet in
                let base = Packet.ip(source, to: destination)
                return family == .v4 ? base.groupReport(group) : base.listenerReport(group)
            }
            expectMaintenance(try fixture.send(report(family.own, group)))
            expectMaintenance(try fixture.send(report(family.unspecified, group)))
            expectMaintenance(try fixture.send(report(family.peer, group), .toEndpoint))
            try fixture.send(report(family.own, family.world)).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(report(family.own, group).hopLimit(64)).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            let forged = try fixture.send(report(family.peer, group))
            forged.expectDrop(family == .v4 ? DROP_SOURCE_ADDRESS : DROP_NEIGHBOR_SPOOFED)
        }
    }
}
