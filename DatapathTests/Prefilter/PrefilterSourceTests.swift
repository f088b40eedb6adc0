// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import KernelDatapath
import NetworkModel
import Testing

extension DatapathTests {
    /// Feeds, blocks and reflectors: `xdp_prefilter`, `tc_prefilter`, `tc_prefilter_raw`, `tc_prefilter_asked`,
    /// `tc_prefilter_asked_raw`.
    @Suite struct PrefilterSourceTests {
        private func packet(_ source: String, to port: UInt16 = 443) throws -> Packet {
            let source = try #require(IPAddress(source))
            return Packet.ip(source, to: source.isIPv4 ? Family.v4.own : Family.v6.own).tcp(40000, port, .syn)
        }

        @Test func `a deny feed drops what it covers and nothing beside it`() throws {
            let fixture = try PrefilterFixture()
            try fixture.feeds(deny: ["198.51.100.0/24", "203.0.113.7/32", "2001:db8:5::/48", "2001:db8:6::7/128"])
            for source in ["198.51.100.0", "198.51.100.255", "203.0.113.7", "2001:db8:5::1", "2001:db8:6::7"] {
                try fixture.expectDrop(packet(source), DROP_SHIELD_FEED)
            }
            for source in [
                "198.51.99.255", "198.51.101.0", "203.0.113.6", "203.0.113.8", "2001:db8:4:ffff::", "2001:db8:6::8",
            ] {
                try fixture.expectPass(packet(source))
            }
            #expect(try fixture.tables.hits(ofFeed: 1).packets == 10)
        }

        @Test func `an allow feed beats feeds, blocks and limits, and not the check of headers`() throws {
            let fixture = try PrefilterFixture { $0.limits[.init(.source, .packets)] = .init(rate: 1) }
            try fixture.feeds(deny: ["198.51.100.7/32"], allow: ["198.51.100.0/24"])
            try fixture.tables.block(CIDR(host: try #require(IPAddress("198.51.100.8"))), for: .seconds(60))
            for source in ["198.51.100.7", "198.51.100.8"] {
                for _ in 0..<100 { try fixture.expectPass(packet(source), counting: PREFILTER_ALLOWED) }
            }
            let broken = Packet.ip(try #require(IPAddress("198.51.100.7")), to: Family.v4.own).tcp(1, 2, [])
            try fixture.expectDrop(broken, DROP_TCP_FLAGS)
            #expect(try fixture.tables.hits(ofFeed: 128).packets == 400)
        }

        @Test func `a feed that is replaced by nothing denies nothing`() throws {
            let fixture = try PrefilterFixture()
            try fixture.feeds(deny: ["198.51.100.0/24"])
            try fixture.feeds()
            try fixture.expectPass(packet("198.51.100.1"))
        }

        @Test func `a block drops one address or net until it ends`() throws {
            let fixture = try PrefilterFixture()
            for text in ["198.51.100.7/32", "203.0.113.0/24", "2001:db8:5::7/128", "2001:db8:6::/64"] {
                try fixture.tables.block(try #require(CIDR(text)), for: .seconds(60))
            }
            for source in ["198.51.100.7", "203.0.113.200", "2001:db8:5::7", "2001:db8:6::abcd"] {
                try fixture.expectDrop(packet(source), DROP_SHIELD_BLOCK)
            }
            for source in ["198.51.100.8", "203.0.112.200", "2001:db8:5::8", "2001:db8:6:1::"] {
                try fixture.expectPass(packet(source))
            }
            let blocks = try fixture.tables.blocks()
            #expect(blocks.count == 4)
            #expect(blocks.allSatisfy { $0.count.packets == 2 && $0.remaining > .seconds(50) })
            #expect(try fixture.tables.unblock(try #require(CIDR("198.51.100.7/32"))))
            #expect(try !fixture.tables.unblock(try #require(CIDR("198.51.100.7/32"))))
            try fixture.expectPass(packet("198.51.100.7"))
        }

        @Test func `a block that has ended is none, before anybody sweeps`() async throws {
            let fixture = try PrefilterFixture()
            let source = CIDR(host: try #require(IPAddress("198.51.100.7")))
            try fixture.tables.block(source, for: .milliseconds(300))
            try fixture.expectDrop(packet("198.51.100.7"), DROP_SHIELD_BLOCK)
            try await Task.sleep(for: .milliseconds(350))
            try fixture.expectPass(packet("198.51.100.7"))
            #expect(try fixture.tables.blocks().isEmpty)
            #expect(try fixture.tables.removeEndedBlocks() == 1)
            #expect(try fixture.tables.removeEndedBlocks() == 0)
        }

        @Test func `a block that does not fit is refused, and none is forgotten for it`() throws {
            let fixture = try PrefilterFixture()
            for number in 0..<64 as Range<UInt32> {
                try fixture.tables.block(CIDR(host: IPAddress(v4: 0xc633_6400 | number)), for: .seconds(60))
            }
            #expect(throws: BPFError.self) {
                try fixture.tables.block(CIDR(host: IPAddress(v4: 0xc633_6464)), for: .seconds(60))
            }
            #expect(try fixture.tables.blocks().count == 64)
            // Longer is no new block.
            try fixture.tables.block(CIDR(host: IPAddress(v4: 0xc633_6400)), for: .seconds(120))
            #expect(throws: BPFError.self) {
                try fixture.tables.block(try #require(CIDR("10.0.0.0/8")), for: .seconds(1))
            }
        }

        @Test func `a block may close failsafe ports too`() throws {
            let fixture = try PrefilterFixture { $0.failsafePorts = [22] }
            let sources = ["198.51.100.7/32", "203.0.113.0/24", "2001:db8:5::7/128"]
            for closes in [false, true] {
                for text in sources {
                    try fixture.tables.block(try #require(CIDR(text)), for: .seconds(60), closesFailsafes: closes)
                }
                #expect(try fixture.tables.blocks().map(\.closesFailsafes) == [closes, closes, closes])
                for source in ["198.51.100.7", "203.0.113.9", "2001:db8:5::7"] {
                    try fixture.expectDrop(packet(source, to: 23), DROP_SHIELD_BLOCK)
                    if closes {
                        try fixture.expectDrop(packet(source, to: 22), DROP_SHIELD_BLOCK)
                    } else {
                        try fixture.expectPass(packet(source, to: 22), counting: PREFILTER_FAILSAFE)
                    }
                }
            }
            // A long cause of an older agent fills its field: that closes nothing.
            let long = String(repeating: "ä", count: 60)
            try fixture.tables.block(
                CIDR(host: try #require(IPAddress("198.51.100.9"))), for: .seconds(60), cause: long)
            try fixture.expectPass(packet("198.51.100.9", to: 22), counting: PREFILTER_FAILSAFE)
        }

        @Test func `failsafe ports stay open to whom feeds and blocks deny`() throws {
            let fixture = try PrefilterFixture { $0.failsafePorts = [22] }
            try fixture.feeds(deny: ["198.51.100.0/24", "2001:db8:5::/48"])
            for source in ["198.51.100.7", "2001:db8:5::7"] {
                try fixture.expectPass(packet(source, to: 22), counting: PREFILTER_FAILSAFE)
                try fixture.expectDrop(packet(source, to: 23), DROP_SHIELD_FEED)
                let source = try #require(IPAddress(source))
                let own = source.isIPv4 ? Family.v4.own : Family.v6.own
                try fixture.expectDrop(Packet.ip(source, to: own).udp(40000, 22), DROP_SHIELD_FEED)
            }
        }

        @Test(arguments: Family.allCases) func `an answer of a reflector passes where somebody asked`(family: Family)
            throws
        {
            let fixture = try PrefilterFixture(others: [.asked])
            let answer = Packet.ip(family.world, to: family.own).udp(53, 40000, payload: 400)
            try fixture.expectDrop(answer, DROP_SHIELD_REFLECTOR)
            try fixture.sendOut(Packet.ip(family.own, to: family.world).udp(40000, 53))
            let result = try fixture.send(answer.bytes)
            #expect(result.passed)
            #expect(result.moved[PREFILTER_ANSWERS] == 1)
            // Another port, another server, another service.
            try fixture.expectDrop(Packet.ip(family.world, to: family.own).udp(53, 40001), DROP_SHIELD_REFLECTOR)
            try fixture.expectDrop(Packet.ip(family.peer, to: family.own).udp(53, 40000), DROP_SHIELD_REFLECTOR)
            try fixture.expectDrop(Packet.ip(family.world, to: family.own).udp(123, 40000), DROP_SHIELD_REFLECTOR)
            // No service that amplifies; and not UDP.
            try fixture.expectPass(Packet.ip(family.world, to: family.own).udp(54, 40001))
            try fixture.expectPass(Packet.ip(family.world, to: family.own).tcp(53, 40001, .synAck))
        }

        @Test(arguments: Family.allCases) func `who asks by a device without Ethernet is answered too`(family: Family)
            throws
        {
            let fixture = try PrefilterFixture(others: [.askedRaw])
            // The test run reads the packet's type where a frame has it: here that is in the source address.
            let own = family == .v4 ? IPAddress(v4: 0x0800_0009) : IPAddress(high: 0x2001_0db8_86dd_0000, low: 9)
            let answer = Packet.ip(family.world, to: own).udp(53, 40000)
            try fixture.expectDrop(answer, DROP_SHIELD_REFLECTOR)
            try fixture.sendOut(Packet.ip(own, to: family.world).udp(40000, 53), isFrame: false)
            #expect(try fixture.send(answer.bytes).passed)
        }

        @Test(arguments: Family.allCases) func `an answer that takes too long is none`(family: Family) async throws {
            let fixture = try PrefilterFixture(others: [.asked]) { $0.answerTime = .seconds(1) }
            let answer = Packet.ip(family.world, to: family.own).udp(53, 40000)
            try fixture.sendOut(Packet.ip(family.own, to: family.world).udp(40000, 53))
            #expect(try fixture.send(answer.bytes).passed)
            try await Task.sleep(for: .milliseconds(2100))
            try fixture.expectDrop(answer, DROP_SHIELD_REFLECTOR)
        }

        @Test func `ports that this host serves take packets from reflectors' ports`() throws {
            let fixture = try PrefilterFixture { $0.servedPorts = [123] }
            try fixture.expectPass(Packet.ip(Family.v4.world, to: Family.v4.own).udp(123, 123))
            try fixture.expectDrop(Packet.ip(Family.v4.world, to: Family.v4.own).udp(123, 124), DROP_SHIELD_REFLECTOR)
        }
    }
}
