// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import KernelDatapath
import KernelTesting
import NetworkModel
import Testing

extension DatapathTests {
    /// `tc_syn_uplink` and `xdp_syn_front`: SYNs answered ahead of the listener's namespace.
    @Suite struct SynFrontTests {
        /// A listener of another namespace, to which `syn0` leads, under load and confirmed just now.
        private static let elsewhere: UInt32 = 77

        private static func prepare(
            _ family: Family, _ place: SynFixture.Place,
            _ body: @escaping @Sendable (SynFixture) throws -> Void
        ) async throws {
            try await SynFixture.run { fixture in
                try shell(
                    """
                    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
                    ip address del \(family.own) dev lo
                    ip link add syn0 type veth peer name syn1 && ip link set syn0 up && ip link set syn1 up
                    ip route add \(family.own) dev syn0
                    """)
                var front = syn_front()
                front.hook = place.kernelValue
                try fixture.fronts.update(1, to: front)
                let device = unsafe if_nametoindex("syn0")
                try fixture.ways.update(syn_way_key(device: device, space: elsewhere), to: 1)
                fixture.configure { $0.mode = .auto }
                fixture.arm()
                var gate = syn_gate()
                let now = SynFixture.now()
                gate.confirmed = now
                gate.high = now
                gate.passed = now
                gate.window = now
                gate.count = 1000
                gate.engaged = 1
                gate.mss = 1400
                gate.window_bytes = 20_000
                gate.window_scale = 9
                gate.offer = UInt8(SYN_OFFER_WINDOW_SCALE | SYN_OFFER_SACK | SYN_OFFER_TIMESTAMPS | SYN_OFFER_ECN)
                gate.space = elsewhere
                try fixture.gates.update(fixture.gateKey(family), to: gate)
                try body(fixture)
            }
        }

        /// With what has passed since the gate was made taken back.
        private static func isAnswered(
            _ fixture: SynFixture, _ family: Family, _ place: SynFixture.Place,
            _ change: (inout syn_gate) -> Void = { _ in }
        ) throws -> Bool {
            try fixture.change(family) { gate in
                let now = SynFixture.now()
                (gate.confirmed, gate.high, gate.passed, gate.window) = (now, now, now, now)
                (gate.restricted, gate.led, gate.led_from, gate.count) = (0, 0, 0, 1000)
                (gate.obstacles, gate.is_full, gate.mss, gate.engaged) = (0, 0, 1400, 1)
                change(&gate)
            }
            return try fixture.meet(.syn(family), at: place) != nil
        }

        @Test(arguments: Family.allCases, SynFixture.Place.allCases)
        func `a front answers with the cookie of the listener's program, and offers what that does`(
            family: Family, place: SynFixture.Place
        ) async throws {
            try await SynFrontTests.prepare(family, place) { fixture in
                try SynFixture.inOneStep { step in
                    let answer = try #require(try fixture.meet(.syn(family, ClientOptions(asksECN: true)), at: place))
                    let l4 = family == .v4 ? 34 : 54
                    let cookie = fixture.cookie(family, step: step).value(step: step, options: 7 << 5 | 16 | 8 | 6)
                    #expect(Array(answer[(l4 + 4)..<(l4 + 8)]) == cookie.networkOrder)
                    #expect(Array(answer[(l4 + 8)..<(l4 + 12)]) == (SynFixture.sequence &+ 1).networkOrder)
                    #expect(answer[l4 + 13] == 0x52, "SYN, ACK, ECE")
                    #expect(Array(answer[(l4 + 14)..<(l4 + 16)]) == UInt16(20_000).networkOrder)
                    #expect(Array(answer[(l4 + 20)..<(l4 + 24)]) == [2, 4] + UInt16(1400).networkOrder)
                    #expect(Array(answer[(l4 + 36)..<(l4 + 40)]) == [1, 3, 3, 9])
                    #expect(answer.count == l4 + 40)
                    let own = family.own.headerBytes, world = family.world.headerBytes
                    let addresses = family == .v4 ? Array(answer[26..<34]) : Array(answer[22..<54])
                    #expect(addresses == own + world)
                    let length: [UInt8] = family == .v4 ? [0, 6, 0, 40] : [0, 0, 0, 40, 0, 0, 0, 6]
                    #expect(internetChecksum(own + world + length + answer[l4...]) == 0)
                    #expect(try fixture.count(.answeredAhead) == 1)
                }
            }
        }

        @Test(arguments: Family.allCases, SynFixture.Place.allCases)
        func `a front believes only what is confirmed, open to all, and where the routes lead`(
            family: Family, place: SynFixture.Place
        ) async throws {
            try await SynFrontTests.prepare(family, place) { fixture in
                func isAnswered(_ change: (inout syn_gate) -> Void = { _ in }) throws -> Bool {
                    try SynFrontTests.isAnswered(fixture, family, place, change)
                }
                let second: UInt64 = 1_000_000_000
                #expect(try isAnswered())
                #expect(try isAnswered { $0.confirmed += second }, "another CPU was a tick ahead")
                #expect(try !isAnswered { $0.confirmed -= 3 * second }, "the listener may be gone")
                #expect(try !isAnswered { $0.restricted = $0.confirmed }, "policy has a say")
                #expect(try isAnswered { $0.restricted = $0.confirmed - 3 * second })
                #expect(try !isAnswered { $0.engaged = 0 })
                #expect(try !isAnswered { $0.is_full = 1 }, "the listener's program knows better")
                #expect(try !isAnswered { $0.obstacles = UInt8(SYN_OBSTACLE_MPTCP) })
                #expect(try !isAnswered { $0.mss = 0 }, "nobody has said yet what to offer")
                #expect(try !isAnswered { $0.space = 78 }, "what comes here does not get there")
                #expect(try isAnswered { $0.space = SynFrontTests.elsewhere })
                fixture.configure {
                    $0.mode = .auto
                    $0.ports = [SynFixture.port: .off]
                }
                #expect(try !isAnswered())
                fixture.configure { $0.mode = .auto }
                try shell("ip route del \(family.own) dev syn0; ip route add blackhole \(family.own)")
                #expect(try !isAnswered())
            }
        }

        @Test(arguments: Family.allCases, SynFixture.Place.allCases)
        func `four SYNs a second are let through, to confirm the gate`(family: Family, place: SynFixture.Place)
            async throws
        {
            try await SynFrontTests.prepare(family, place) { fixture in
                var passed = 0
                for _ in 0..<60 {
                    if try fixture.meet(.syn(family), at: place) == nil { passed += 1 }
                    _ = poll(nil, 0, 10)
                }
                #expect((1...4).contains(passed), "of 0.6 s and more: \(passed)")
            }
        }

        /// Its socket may wait still, and has to answer by itself.
        @Test(arguments: Family.allCases, SynFixture.Place.allCases)
        func `who closed a connection lately is left to the listener's program`(
            family: Family, place: SynFixture.Place
        ) async throws {
            try await SynFrontTests.prepare(family, place) { fixture in
                #expect(try fixture.meet(.syn(family), at: place) != nil)
                try fixture.expectLeft(.segment(family, 0x11), "FIN, seen by the listener's program")
                #expect(try fixture.meet(.syn(family), at: place) == nil)
                let other = Packet.ip(family.stranger, to: family.own)
                    .transport(6, Array(fixture.header(.syn(family), family)), checksum: .withAddresses(16))
                #expect(try fixture.meet(other, at: place) != nil, "of another client's nothing is known")
            }
        }

        /// Two hundred a second for a minute.
        @Test func `of twelve thousand who closed connections none is forgotten for the others`() async throws {
            try await SynFrontTests.prepare(.v4, .tcx) { fixture in
                func packet(_ flags: UInt8, from port: UInt16) -> Packet {
                    let header = fixture.header(.segment(.v4, flags), .v4)
                    return Packet.ip(Family.v4.world, to: Family.v4.own)
                        .transport(6, port.networkOrder + header.dropFirst(2), checksum: .withAddresses(16))
                }
                let ports = (10_000..<22_000 as Range<UInt16>)
                for port in ports { try fixture.expectLeft(packet(0x11, from: port)) }
                var forgotten = 0
                for port in ports {
                    if port % 500 == 0 {
                        let isNewAnswered = try SynFrontTests.isAnswered(fixture, .v4, .tcx)
                        #expect(isNewAnswered, "whose port nobody closed")
                    }
                    if try fixture.meet(packet(0x02, from: port), at: .tcx) != nil { forgotten += 1 }
                }
                #expect(forgotten <= 12)
            }
        }

        @Test(arguments: SynFixture.Place.allCases)
        func `other places, other devices and other frames are left alone`(place: SynFixture.Place) async throws {
            try await SynFrontTests.prepare(.v4, place) { fixture in
                #expect(try fixture.meet(.syn(.v4, port: 9), at: place) == nil)
                #expect(try fixture.meet(.segment(.v4, 0x12), at: place) == nil)
                #expect(try fixture.meet(.syn(.v4).vlan(7), at: place) == nil)
                #expect(
                    try fixture.meet(
                        .segment(.v4, 0x02, options: [19, 18] + [UInt8](repeating: 1, count: 18)), at: place) == nil)
                var front = syn_front()
                front.hook = SynFixture.Place.allCases.first { $0 != place }?.kernelValue ?? 0
                try fixture.fronts.update(1, to: front)
                #expect(try fixture.meet(.syn(.v4), at: place) == nil, "the device's front is the other one")
                front.hook = place.kernelValue
                front.hardware_address.5 = 1
                try fixture.fronts.update(1, to: front)
                #expect(try (fixture.meet(.syn(.v4), at: place) == nil) == (place == .xdp), "a frame to somebody else")
                try fixture.fronts.remove(1)
                #expect(try fixture.meet(.syn(.v4), at: place) == nil)
            }
        }

        @Test(arguments: Family.allCases)
        func `XDP answers for the host's own listeners, tcx leaves them to the listener's program`(family: Family)
            async throws
        {
            try await SynFixture.run { fixture in
                try fixture.listen()
                var front = syn_front()
                front.hook = SynFixture.Place.xdp.kernelValue
                try fixture.fronts.update(1, to: front)
                #expect(try fixture.meet(.syn(family), at: .xdp) == nil, "no gate yet")
                #expect(try fixture.run(.syn(family)).verdict == 7)
                let space = try #require(try fixture.gates.value(for: fixture.gateKey(family))).space
                try fixture.change(family) { $0.passed = SynFixture.now() }
                #expect(try fixture.meet(.syn(family), at: .xdp) == nil, "nobody said whose this is")
                try fixture.ways.update(syn_way_key(device: 0, space: space), to: 1)
                #expect(try fixture.meet(.syn(family), at: .xdp) != nil)
                #expect(try fixture.count(.answeredAhead) == 1)
                #expect(try fixture.meet(.syn(family), at: .tcx) != nil)
                #expect(try fixture.count(.answeredAhead) == 1)
            }
        }
    }
}
