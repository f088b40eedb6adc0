// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import Testing

extension DatapathTests {
    /// Every branch of bpf/lib/parse*.h, seen through what the event says about the packet.
    @Suite struct ParserTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private func ip(_ family: Family) -> Packet { .ip(family.own, to: family.peer) }

        // MARK: - What is understood

        @Test(arguments: Family.allCases) func `a TCP packet's event names addresses, ports, flags and sizes`(
            family: Family
        ) throws {
            let packet = ip(family).tcp(40000, 443, [.syn, .psh], payload: 100)
            let outcome = try fixture.send(packet)
            outcome.expectPass(state: .new)
            let event = try #require(outcome.event)
            #expect(event.source == family.own && event.destination == family.peer)
            #expect(event.sourcePort == 40000 && event.destinationPort == 443)
            #expect(event.ipProtocol == .tcp && event.tcpFlags == 0x0a)
            #expect(event.family == (family == .v4 ? 4 : 6))
            #expect(event.length == UInt32(family.headerLength + 120) && event.bytes == UInt64(event.length))
            #expect(event.endpoint == Fixture.endpoint && event.identity.rawValue == Fixture.identity)
            #expect(event.subject == UInt32(Fixture.subject) && event.peerIdentity == Fixture.peerIdentity)
            #expect(event.generation == Fixture.initialGeneration && event.interfaceIndex == 1)
            #expect(event.vlan == 0 && event.timestamp > 0 && event.packets == 1)
        }

        @Test(arguments: Family.allCases) func `every transport gives its ports`(family: Family) throws {
            let udp = try fixture.send(ip(family).udp(5353, 53)).event
            #expect(udp?.ipProtocol == .udp && udp?.sourcePort == 5353 && udp?.destinationPort == 53)
            let sctp = try fixture.send(ip(family).sctp(7000, 7001, .initiate)).event
            #expect(sctp?.ipProtocol == .sctp && sctp?.sourcePort == 7000 && sctp?.destinationPort == 7001)
            let echo = try fixture.send(ip(family).echoRequest(0x1234)).event
            #expect(echo?.ipProtocol == family.icmp && echo?.sourcePort == 0x1234)
            #expect(echo?.destinationPort == UInt16(family.echoRequest) << 8)
            let other = try fixture.send(ip(family).icmp(family.otherICMP, code: 3, rest: 9)).event
            #expect(other?.sourcePort == 0 && other?.destinationPort == UInt16(family.otherICMP) << 8 | 3)
            let gre = try fixture.send(ip(family).gre()).event
            #expect(gre?.ipProtocol.rawValue == 47 && gre?.sourcePort == 0 && gre?.destinationPort == 0)
        }

        @Test(arguments: Family.allCases) func `the outermost VLAN id stands in the event`(family: Family) throws {
            let packet = ip(family).udp(1000, 2000)
            #expect(try fixture.send(packet.vlan(100)).event?.vlan == 100)
            try fixture.forgetFlows()
            #expect(try fixture.send(packet.vlan(7, type: 0x88a8)).event?.vlan == 7)
            try fixture.forgetFlows()
            let stacked = try fixture.send(packet.vlan(100).vlan(200, type: 0x88a8)).event
            #expect(stacked?.vlan == 200 && stacked?.destinationPort == 2000)
            try fixture.forgetFlows()
            let tcp = try fixture.send(ip(family).tcp(1, 2, .syn).vlan(0x0fff)).event
            #expect(tcp?.vlan == 0x0fff && tcp?.destinationPort == 2)
        }

        @Test(arguments: Family.allCases) func `padding of the link does not count`(family: Family) throws {
            let packet = ip(family).tcp(1, 2, .syn)
            let outcome = try fixture.send(packet.padded(30))
            outcome.expectPass(state: .new)
            #expect(outcome.event?.length == UInt32(packet.ipLength))
            try fixture.send(ip(family).udp(1, 2, payload: 0).padded(18)).expectPass(state: .new)
        }

        @Test func `IPv4 options are stepped over`() throws {
            for count in [4, 20, 40] {
                try fixture.forgetFlows()
                let options = [UInt8](repeating: 1, count: count)
                let outcome = try fixture.send(ip(.v4).tcp(40000, 80, .syn).options(options))
                outcome.expectPass(state: .new)
                #expect(outcome.event?.destinationPort == 80)
            }
        }

        @Test(arguments: [0, 43, 51, 60, 135, 139, 140] as [UInt8])
        func `IPv6 extension headers are stepped over`(number: UInt8) throws {
            for count in [8, 24] {
                try fixture.forgetFlows()
                let packet = ip(.v6).udp(1234, 53).extensionHeader(number, byteCount: count)
                let outcome = try fixture.send(packet)
                outcome.expectPass(state: .new)
                #expect(outcome.event?.ipProtocol == .udp && outcome.event?.destinationPort == 53)
            }
        }

        @Test func `six extension headers are walked, a fragment header that makes no fragment among them`() throws {
            let packet = ip(.v6).tcp(1, 2, .syn).extensionHeader(0).extensionHeader(60).extensionHeader(43)
                .atomicFragmentHeader().extensionHeader(51, byteCount: 16).extensionHeader(60)
            let outcome = try fixture.send(packet)
            outcome.expectPass(state: .new)
            #expect(outcome.event?.destinationPort == 2)
        }

        @Test func `a packet without next header has no ports`() throws {
            let outcome = try fixture.send(ip(.v6).transport(59, []))
            outcome.expectPass(state: .new)
            #expect(outcome.event?.ipProtocol.rawValue == 59)
        }

        @Test(arguments: Family.allCases) func `a length of zero means the whole frame, as large segments have it`(
            family: Family
        ) throws {
            let packet = ip(family).tcp(40000, 443, .syn, payload: 64).patch(family == .v4 ? 2 : 4, [0, 0])
            let outcome = try fixture.send(packet)
            outcome.expectPass(state: .new)
            #expect(outcome.event?.length == UInt32(packet.ipLength))
        }

        @Test func `a device without link layer delivers the IP header first`() throws {
            try fixture.setEndpoint(flags: ENDPOINT_NO_LINK_LAYER | ENDPOINT_NO_SOURCE_CHECK)
            // The test run takes bytes 12 and 13 of the frame for its type: here they are part of the source.
            let sources = [
                Family.v4: IPAddress(v4: 0x0800_0102), Family.v6: IPAddress(high: 0xfdbb_0000_86dd_0000, low: 1),
            ]
            for family in Family.allCases {
                let source = try #require(sources[family])
                let packet = Packet.ip(source, to: family.peer).tcp(40000, 80, .syn)
                let outcome = try fixture.send(
                    bytes: packet.networkBytes, length: packet.ipLength, .fromEndpoint)
                outcome.expectPass(state: .new)
                #expect(outcome.event?.source == source && outcome.event?.destinationPort == 80)
            }
        }

        // MARK: - What is refused

        @Test(arguments: Family.allCases, Hook.allCases.filter { !$0.isHost })
        func `a packet that ends inside a header is dropped: DROP_TRUNCATED`(family: Family, hook: Hook) throws {
            let link = 14 + family.headerLength
            let base = hook.direction == .egress ? ip(family) : Packet.ip(family.peer, to: family.own)
            // A test run takes no IP frame shorter than its header, but a tagged one.
            for length in [18, 19, link + 3] {
                let cut = base.tcp(1, 2, .syn).vlan(5).truncated(to: length)
                try fixture.send(bytes: cut.bytes, length: length, hook).expectDrop(DROP_TRUNCATED)
            }
            // The IP header promises more than the frame has.
            let cut = base.udp(1, 2, payload: 50).truncated(to: link + 20)
            try fixture.send(bytes: cut.bytes, length: link + 20, hook).expectDrop(DROP_TRUNCATED)
            // The IP packet ends inside the transport header, whatever the frame has after it.
            let short: [Packet] = [
                base.transport(6, [UInt8](repeating: 0, count: 19)), base.transport(17, [0, 1, 0, 2, 0, 7, 0]),
                base.transport(132, [UInt8](repeating: 0, count: 12)),
            ]
            for packet in short { try fixture.send(packet.padded(40), hook).expectDrop(DROP_TRUNCATED) }
            let offsetTooSmall = base.tcp(1, 2, .syn).patch(family.headerLength + 12, [0x40])
            try fixture.send(offsetTooSmall, hook).expectDrop(DROP_TRUNCATED)
        }

        @Test func `a frame that ends inside its tags is dropped: DROP_TRUNCATED`() throws {
            let packet = ip(.v4).udp(1, 2).vlan(5).truncated(to: 16)
            try fixture.send(bytes: packet.bytes, length: 16, .fromEndpoint).expectDrop(DROP_TRUNCATED)
        }

        @Test func `an extension header that ends too early is dropped: DROP_TRUNCATED`() throws {
            for number: UInt8 in [0, 44, 51, 60] {
                let packet = ip(.v6).transport(number, [6, 0, 0, 0])
                try fixture.send(packet).expectDrop(DROP_TRUNCATED)
            }
        }

        @Test func `impossible IP headers are dropped: DROP_IP_HEADER`() throws {
            let four = ip(.v4).udp(1, 2)
            for (offset, byte): (Int, UInt8) in [(0, 0x55), (0, 0x44), (3, 19)] {
                let packet = four.patch(offset, [byte])
                try fixture.send(bytes: packet.bytes, length: packet.bytes.count, .fromEndpoint).expectDrop(
                    DROP_IP_HEADER)
            }
            let six = ip(.v6).udp(1, 2).patch(0, [0x40])
            try fixture.send(bytes: six.bytes, length: six.bytes.count, .fromEndpoint).expectDrop(DROP_IP_HEADER)
        }

        /// In the tables such a packet would be the IPv4 one, but with the identity of the world.
        @Test(arguments: [true, false]) func `IPv4-mapped addresses in IPv6 are dropped: DROP_IP_HEADER`(
            isTCP: Bool
        ) throws {
            let mapped: (IPAddress) -> [UInt8] = { $0.high.networkOrder + $0.low.networkOrder }
            let base = isTCP ? ip(.v6).tcp(40000, 443, .syn) : ip(.v6).udp(40000, 443)
            let own = mapped(Family.v4.own), peer = mapped(Family.v4.peer)
            for packet in [base.patch(8, own + peer), base.patch(8, own), base.patch(24, peer)] {
                try fixture.send(packet).expectDrop(DROP_IP_HEADER)
                try fixture.send(packet, .toEndpoint).expectDrop(DROP_IP_HEADER)
            }
            #expect(try fixture.flows().isEmpty)
        }

        @Test func `too many or malformed extension headers are dropped: DROP_EXTENSION_HEADERS`() throws {
            var packet = ip(.v6).udp(1, 2)
            for _ in 0..<7 { packet = packet.extensionHeader(60) }
            try fixture.send(packet).expectDrop(DROP_EXTENSION_HEADERS)
            // Deeper than the parser reads.
            let deep = ip(.v6).udp(1, 2).extensionHeader(0, byteCount: 248).extensionHeader(60, byteCount: 248)
            try fixture.send(deep).expectDrop(DROP_EXTENSION_HEADERS)
            // Two fragment headers, the first of a real fragment.
            let twice = ip(.v6).udp(1, 2, payload: 16).fragment(0..<16)
                .patch(40, [44, 0, 0, 1, 0, 0, 0, 1, 17, 0, 0, 1, 0, 0, 0, 1])
            try fixture.send(twice).expectDrop(DROP_EXTENSION_HEADERS)
        }

        @Test(arguments: Family.allCases) func `three VLAN tags are one too many: DROP_VLAN_DEPTH`(
            family: Family
        ) throws {
            let packet = ip(family).udp(1, 2).vlan(1).vlan(2).vlan(3, type: 0x88a8)
            let outcome = try fixture.send(bytes: packet.bytes, length: packet.bytes.count, .fromEndpoint)
            outcome.expectDrop(DROP_VLAN_DEPTH)
            #expect(outcome.event?.vlan == 3)
        }

        @Test(arguments: [0x88cc, 0x0026, 0x8863, 0x22f0] as [UInt16])
        func `frames that are neither IP nor ARP are dropped: DROP_ETHERTYPE`(type: UInt16) throws {
            let packet = Packet.frame(etherType: type, payload: [UInt8](repeating: 0, count: 50))
            for hook in [Hook.fromEndpoint, .toEndpoint] {
                try fixture.send(bytes: packet.bytes, length: 64, hook).expectDrop(DROP_ETHERTYPE)
            }
        }

        @Test func `the other family's ICMP is dropped: DROP_PROTOCOL`() throws {
            try fixture.send(ip(.v4).transport(58, [UInt8](repeating: 0, count: 8))).expectDrop(DROP_PROTOCOL)
            try fixture.send(ip(.v6).transport(1, [8, 0, 0, 0, 0, 0, 0, 0])).expectDrop(DROP_PROTOCOL)
            let behind = ip(.v6).transport(1, [8, 0, 0, 0, 0, 0, 0, 0]).extensionHeader(60)
            try fixture.send(behind).expectDrop(DROP_PROTOCOL)
        }

        @Test(arguments: Family.allCases) func `impossible TCP flags are dropped: DROP_TCP_FLAGS`(
            family: Family
        ) throws {
            let impossible: [TCPFlags] = [
                [], .psh, [.syn, .fin], [.syn, .rst], [.syn, .fin, .ack], [.syn, .rst, .ack],
            ]
            for flags in impossible {
                for direction in Direction.allCases {
                    try fixture.tcp(.server(family), direction, flags).expectDrop(DROP_TCP_FLAGS)
                }
                try fixture.send(ip(family).tcp(1, 2, flags).vlan(9)).expectDrop(DROP_TCP_FLAGS)
            }
        }

        @Test(arguments: Family.allCases) func `a short ICMP message is dropped: DROP_ICMP_MALFORMED`(
            family: Family
        ) throws {
            let packet = ip(family).transport(family.icmp.rawValue, [family.echoRequest, 0, 0, 0, 0, 1, 0])
            try fixture.send(packet).expectDrop(DROP_ICMP_MALFORMED)
        }
    }
}
