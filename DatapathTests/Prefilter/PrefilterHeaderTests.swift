// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import KernelDatapath
import NetworkModel
import Testing

extension DatapathTests {
    /// `xdp_prefilter`, `tc_prefilter`: what no correct stack sends, and what looks like it.
    @Suite struct PrefilterHeaderTests {
        private func tcp(_ family: Family, _ flags: TCPFlags = .ack) -> Packet {
            Packet.ip(family.world, to: family.own).tcp(40000, 443, flags, payload: 20)
        }

        private func udp(_ family: Family, payload: Int = 20) -> Packet {
            Packet.ip(family.world, to: family.own).udp(40000, 5000, payload: payload)
        }

        @Test(arguments: Family.allCases) func `ordinary packets pass`(family: Family) throws {
            let fixture = try PrefilterFixture()
            let base = Packet.ip(family.world, to: family.own)
            for flags: TCPFlags in [
                .syn, .synAck, .ack, .finAck, .rst, [.rst, .ack], [.psh, .ack], [.fin, .psh, .ack],
            ] {
                try fixture.expectPass(tcp(family, flags))
            }
            for packet in [
                udp(family), udp(family, payload: 0), base.echoRequest(7), base.echoReply(7), base.gre(),
                base.sctp(40000, 9, .initiate), base.error(family.unreachable, quoting: tcp(family)),
                tcp(family).vlan(7), tcp(family).vlan(7).vlan(9, type: 0x88a8), tcp(family).padded(30),
            ] {
                try fixture.expectPass(packet)
            }
        }

        @Test func `what is no IP passes`() throws {
            let fixture = try PrefilterFixture()
            for type: UInt16 in [0x88cc, 0x8863, 0x0806, 0x0027] {
                let frame = Packet.frame(etherType: type, payload: [UInt8](repeating: 1, count: 46))
                try fixture.expectPass(frame, counting: PREFILTER_NOT_IP)
            }
        }

        @Test(arguments: Family.allCases) func `a packet that ends inside a header is dropped`(family: Family) throws {
            let fixture = try PrefilterFixture()
            let ends = family == .v4 ? [20, 33, 34, 53] : [20, 53, 54, 73]
            for length in ends {
                // The lengths say that there is more.
                try fixture.expectDrop(tcp(family).truncated(to: length), DROP_TRUNCATED, ways: [.frame])
            }
            let whole = Packet.ip(family.world, to: family.own).tcp(40000, 443, .ack)
            try fixture.expectPass(whole)
        }

        @Test func `an impossible IP header is dropped`() throws {
            let fixture = try PrefilterFixture()
            let reason = DROP_IP_HEADER
            try fixture.expectDrop(tcp(.v4).patch(0, [0x55]), reason)
            try fixture.expectDrop(tcp(.v4).patch(0, [0x44]), reason)
            try fixture.expectDrop(tcp(.v4).patch(2, [0, 19]), reason)
            try fixture.expectDrop(tcp(.v4).patch(2, [0, 0]), reason, ways: [.frame])
            try fixture.expectDrop(tcp(.v6).patch(0, [0x50]), reason)
            try fixture.expectDrop(tcp(.v6).patch(4, [0, 0]), reason, ways: [.frame])
            try fixture.expectDrop(tcp(.v6).patch(8, [UInt8](repeating: 0, count: 10) + [0xff, 0xff]), reason)
            try fixture.expectPass(tcp(.v4).options([1, 1, 1, 0]))
        }

        @Test func `IPv6 extension headers are followed, too many are not`() throws {
            let fixture = try PrefilterFixture()
            try fixture.expectPass(udp(.v6).extensionHeader(0).extensionHeader(60).extensionHeader(43))
            var long = udp(.v6)
            for _ in 0..<8 { long = long.extensionHeader(60) }
            try fixture.expectDrop(long, DROP_EXTENSION_HEADERS)
            // What is behind them is judged.
            try fixture.expectDrop(tcp(.v6, []).extensionHeader(60), DROP_TCP_FLAGS)
        }

        @Test(arguments: Family.allCases) func `flags that no stack combines are dropped`(family: Family) throws {
            let fixture = try PrefilterFixture()
            let all = TCPFlags(rawValue: 0x29)
            for flags: TCPFlags in [
                [], .fin, [.syn, .fin], [.syn, .rst], all, [.fin, .psh], .psh, TCPFlags(rawValue: 0x20),
            ] {
                try fixture.expectDrop(tcp(family, flags), DROP_TCP_FLAGS)
            }
        }

        @Test(arguments: Family.allCases) func `impossible lengths and ports are dropped, possible ones pass`(
            family: Family
        ) throws {
            let fixture = try PrefilterFixture()
            let at = family.headerLength
            let reason = DROP_SHIELD_TRANSPORT
            try fixture.expectDrop(tcp(family).patch(at + 12, [0xf0]), reason)
            try fixture.expectPass(tcp(family).patch(at + 12, [0xa0]))
            try fixture.expectDrop(tcp(family).patch(at, [0, 0]), reason)
            try fixture.expectDrop(tcp(family).patch(at + 2, [0, 0]), reason)
            try fixture.expectDrop(udp(family).patch(at + 2, [0, 0]), reason)
            // RFC 768: a source port of 0 says that no answer is wanted.
            try fixture.expectPass(udp(family).patch(at, [0, 0]))
            try fixture.expectDrop(udp(family).patch(at + 4, [0, 7]), reason)
            try fixture.expectDrop(udp(family).patch(at + 4, [0, 29]), reason)
            try fixture.expectPass(udp(family).patch(at + 4, [0, 28]))
        }

        @Test(arguments: Family.allCases) func `fragments that cannot be put together are dropped`(family: Family)
            throws
        {
            let fixture = try PrefilterFixture()
            let reason = DROP_FRAGMENT_MALFORMED
            let long = udp(family, payload: 200)
            try fixture.expectPass(long.fragment(0..<104))
            try fixture.expectPass(long.fragment(104..<208, last: true))
            try fixture.expectDrop(tcp(family).fragment(8..<24), reason)
            let offset = family == .v4 ? (6, [0x1f, 0xff] as [UInt8]) : (42, [0xff, 0xf8] as [UInt8])
            try fixture.expectDrop(long.fragment(104..<208, last: true).patch(offset.0, offset.1), reason)
            // The first fragment hides the flags.
            try fixture.expectDrop(tcp(family).fragment(0..<8), reason)
        }

        @Test func `protocols of the other family and long VLAN stacks are dropped`() throws {
            let fixture = try PrefilterFixture()
            try fixture.expectDrop(
                Packet.ip(Family.v4.world, to: Family.v4.own).transport(58, [128, 0, 0, 0, 0, 0, 0, 0]), DROP_PROTOCOL)
            try fixture.expectDrop(
                Packet.ip(Family.v6.world, to: Family.v6.own).transport(1, [8, 0, 0, 0, 0, 0, 0, 0]), DROP_PROTOCOL)
            try fixture.expectDrop(udp(.v4).vlan(1).vlan(2).vlan(3), DROP_VLAN_DEPTH, ways: [.frame])
        }

        @Test(arguments: Family.allCases) func `a packet from its own destination is dropped`(family: Family) throws {
            let fixture = try PrefilterFixture()
            let land = Packet.ip(family.own, to: family.own).tcp(443, 443, .syn)
            try fixture.expectDrop(land, DROP_SHIELD_LAND)
            try fixture.expectPass(Packet.ip(family.ownSecond, to: family.own).tcp(443, 443, .syn))
        }

        @Test func `sources that no wire carries are dropped, unless the configuration says otherwise`() throws {
            let fixture = try PrefilterFixture()
            let martians = ["0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "0.0.0.0"]
            let packets =
                try martians.map { Packet.ip(try #require(IPAddress($0)), to: Family.v4.own).udp(40000, 5000) }
                + ["::1", "ff02::1", "::"].map {
                    Packet.ip(try #require(IPAddress($0)), to: Family.v6.own).udp(40000, 5000)
                }
            for packet in packets { try fixture.expectDrop(packet, DROP_SHIELD_MARTIAN) }
            try fixture.configure { $0.checksSources = false }
            for packet in packets { try fixture.expectPass(packet) }
        }

        @Test func `hosts that have no address yet get one`() throws {
            let fixture = try PrefilterFixture()
            let everybody = IPAddress(v4: 0xffff_ffff)
            try fixture.expectPass(Packet.ip(Family.v4.unspecified, to: everybody).udp(68, 67))
            let probe = Packet.ip(Family.v6.unspecified, to: Family.v6.allNodes)
                .neighborDiscovery(135, target: Family.v6.world)
            try fixture.expectPass(probe)
        }

        @Test func `without the check of headers what does not parse passes`() throws {
            let fixture = try PrefilterFixture { $0.checksHeaders = false }
            try fixture.expectPass(tcp(.v4, []))
            try fixture.expectPass(tcp(.v4).patch(0, [0x44]))
        }

        @Test(arguments: Family.allCases) func `packets that never were a frame are judged alike`(
            family: Family
        ) throws {
            let fixture = try PrefilterFixture(others: [.rawSkb])
            // The test run reads the packet's type where a frame has it: here that is in the source address.
            let source =
                family == .v4 ? IPAddress(v4: 0x0800_0009) : IPAddress(high: 0x2001_0db8_86dd_0000, low: 9)
            let packet = Packet.ip(source, to: family.own)
            let passed = try fixture.send(packet.tcp(40000, 443, .ack).networkBytes, .rawSkb)
            #expect(passed.passed && passed.moved == [PREFILTER_PASSED: 1], "\(passed.moved)")
            let dropped = try fixture.send(packet.tcp(40000, 443, []).networkBytes, .rawSkb)
            #expect(!dropped.passed && dropped.moved == [PREFILTER_DROPPED + DROP_TCP_FLAGS: 1], "\(dropped.moved)")
        }

        @Test(arguments: Family.allCases) func `monitor mode counts what it would drop, and passes it`(family: Family)
            throws
        {
            let fixture = try PrefilterFixture { $0.mode = .monitor }
            let result = try fixture.send(tcp(family, []).bytes)
            #expect(result.passed)
            #expect(result.moved == [PREFILTER_WOULD_DROP + DROP_TCP_FLAGS: 1])
        }
    }
}
