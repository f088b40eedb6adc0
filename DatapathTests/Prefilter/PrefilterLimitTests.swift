// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import KernelDatapath
import NetworkModel
import Testing

extension DatapathTests {
    /// Token buckets: `xdp_prefilter`.
    @Suite struct PrefilterLimitTests {
        /// So slow that nothing comes back during a test.
        private func fixture(_ scope: ShieldLimit.Scope, _ kind: ShieldLimit.Kind, burst: Int) throws
            -> PrefilterFixture
        {
            try PrefilterFixture { $0.limits[.init(scope, kind)] = ShieldLimit(rate: 1, burst: burst) }
        }

        private func address(_ family: Family, _ number: UInt32, net: UInt32 = 0) -> IPAddress {
            family == .v4
                ? IPAddress(v4: 0xc633_0000 | net << 8 | number)
                : IPAddress(high: 0x2001_0db8_0077_0000 | UInt64(net), low: UInt64(number))
        }

        /// How many of so many pass.
        private func passes(_ fixture: PrefilterFixture, _ count: Int, _ packet: (Int) -> Packet) throws -> Int {
            try (0..<count).count { try fixture.send(packet($0).bytes).passed }
        }

        @Test(arguments: Family.allCases, ShieldLimit.Scope.allCases)
        func `a bucket lets its burst pass, and the others' too`(
            family: Family, scope: ShieldLimit.Scope
        ) throws {
            let fixture = try fixture(scope, .packets, burst: 10)
            let from = address(family, 7)
            #expect(try passes(fixture, 30) { _ in .ip(from, to: family.own).udp(1, 40000) } == 10)
            let neighbour = address(family, 8), stranger = address(family, 7, net: 9)
            let other = { (source: IPAddress, to: IPAddress) in { (_: Int) in Packet.ip(source, to: to).udp(1, 40000) }
            }
            #expect(try passes(fixture, 5, other(neighbour, family.own)) == (scope == .source ? 5 : 0))
            #expect(try passes(fixture, 5, other(stranger, family.own)) == (scope == .destination ? 0 : 5))
            #expect(try passes(fixture, 5, other(from, family.ownSecond)) == (scope == .destination ? 5 : 0))
            let counters = try fixture.counters()
            let index = [ShieldLimit.Scope.source: LIMIT_SOURCE, .network: LIMIT_NET, .destination: LIMIT_DESTINATION]
            #expect(counters[PREFILTER_LIMITED + (index[scope] ?? 0)] == counters[DROP_SHIELD_PACKETS])
        }

        /// Who forges somebody's address while one destination is flooded must not cut that one off from all others.
        @Test(arguments: Family.allCases, ShieldLimit.Scope.allCases)
        func `limits for a flood hold where the flood goes, and leave the shield's own alone`(
            family: Family, scope: ShieldLimit.Scope
        ) throws {
            let fixture = try PrefilterFixture {
                $0.limits[.init(.source, .icmp)] = ShieldLimit(rate: 1, burst: 20)
                $0.floodedLimits[.init(scope, .packets)] = ShieldLimit(rate: 1, burst: 10)
                $0.floodedLimits[.init(.source, .icmp)] = ShieldLimit(rate: 1, burst: 1)
            }
            let from = address(family, 7)
            let datagram = { (to: IPAddress) in { (_: Int) in Packet.ip(from, to: to).udp(1, 40000) } }
            #expect(try passes(fixture, 30, datagram(family.own)) == 30, "nothing is flooded")
            let flooded = try #require(IPAddress("\(family.own)"))
            try fixture.tables.setFlooded([flooded, address(family, 99)])
            #expect(try passes(fixture, 30, datagram(family.own)) == 10)
            #expect(try passes(fixture, 30, datagram(family.ownSecond)) == 30, "it goes elsewhere")
            let ping = { (_: Int) in Packet.ip(from, to: family.ownSecond).echoRequest(7) }
            #expect(try passes(fixture, 30, ping) == 20, "the shield's own goes first, for all destinations")
            try fixture.tables.setFlooded([])
            #expect(try passes(fixture, 30, datagram(family.own)) == 30)
        }

        @Test(arguments: Family.allCases) func `each kind has its reason and its packets`(family: Family) throws {
            let base = Packet.ip(family.world, to: family.own)
            let syn = base.tcp(40000, 443, .syn), ack = base.tcp(40000, 443, .ack)
            let fragment = base.udp(40000, 5000, payload: 200).fragment(104..<208, last: true)
            let cases: [(ShieldLimit.Kind, Int, Packet, [Packet])] = [
                (.packets, DROP_SHIELD_PACKETS, ack, []),
                (.connections, DROP_SHIELD_CONNECTIONS, syn, [ack, base.tcp(1, 2, .synAck), base.udp(1, 40000)]),
                (.fragments, DROP_SHIELD_FRAGMENTS, fragment, [ack, syn]),
                (.icmp, DROP_SHIELD_ICMP, base.echoRequest(7), [ack, syn, fragment]),
            ]
            for (kind, reason, packet, others) in cases {
                let fixture = try fixture(.source, kind, burst: 3)
                for _ in 0..<3 { #expect(try fixture.send(packet.bytes).passed) }
                try fixture.expectDrop(packet, reason)
                for other in others { try fixture.expectPass(other) }
            }
        }

        @Test(arguments: Family.allCases) func `bytes are those of the IP packet`(family: Family) throws {
            let fixture = try fixture(.source, .bytes, burst: 100_500)
            let packet = Packet.ip(family.world, to: family.own).udp(1, 40000, payload: 1000 - 8 - family.headerLength)
            #expect(try passes(fixture, 120) { _ in packet } == 100)
            try fixture.expectDrop(packet, DROP_SHIELD_BYTES)
            let small = Packet.ip(family.world, to: family.own).udp(1, 40000, payload: 1)
            try fixture.expectPass(small, ways: [.frame])
        }

        @Test func `tokens come back with time`() async throws {
            let fixture = try PrefilterFixture {
                $0.limits[.init(.source, .packets)] = ShieldLimit(rate: 100, burst: 10)
            }
            let packet = Packet.ip(Family.v4.world, to: Family.v4.own).udp(1, 40000)
            let first = try passes(fixture, 200) { _ in packet }
            #expect((10...100).contains(first), "\(first)")
            try await Task.sleep(for: .milliseconds(500))
            let second = try passes(fixture, 200) { _ in packet }
            #expect((10...100).contains(second), "\(second)")
        }

        @Test func `neighbours are never limited`() throws {
            let fixture = try fixture(.source, .icmp, burst: 1)
            let solicit = Packet.ip(.linkLocal(9), to: Family.v6.allNodes).neighborDiscovery(135, target: Family.v6.own)
            for _ in 0..<20 { try fixture.expectPass(solicit) }
        }

        @Test func `a table that is full says so, and still holds those that are in it`() throws {
            let fixture = try fixture(.source, .packets, burst: 20)
            let offender = Packet.ip(Family.v4.world, to: Family.v4.own).udp(1, 40000)
            for _ in 0..<25 { try fixture.sendQuietly(offender) }
            // Each takes a second to be full again, and all of them come within less.
            for number in 0..<4000 as Range<UInt32> {
                let packet = Packet.ip(address(.v4, number & 255, net: number >> 8), to: Family.v4.own).udp(1, 40000)
                try fixture.sendQuietly(packet)
            }
            let result = try fixture.send(offender.bytes)
            #expect(!result.passed && result.moved[DROP_SHIELD_PACKETS] == 1, "\(result.moved)")
            let unlimited = try fixture.counters()[PREFILTER_UNLIMITED] ?? 0
            #expect(unlimited >= 4000 - UInt64(2 * PrefilterFixture.limitEntries), "\(unlimited)")
        }

        @Test func `a bucket that is full again makes room, and loses nothing by it`() async throws {
            let fixture = try PrefilterFixture {
                $0.limits[.init(.source, .packets)] = ShieldLimit(rate: 1000, burst: 1)
            }
            for round in 0..<3 as Range<UInt32> {
                for number in 0..<512 as Range<UInt32> {
                    let from = IPAddress(v4: 0xc600_0000 | round << 16 | number)
                    #expect(try fixture.send(Packet.ip(from, to: Family.v4.own).udp(1, 40000).bytes).passed)
                    if number % 64 == 63 { try await Task.sleep(for: .milliseconds(15)) }
                }
            }
            #expect(try fixture.counters()[PREFILTER_UNLIMITED] ?? 0 < 15)
        }
    }
}
