// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import KernelDatapath
import KernelPrograms
import KernelTesting
import NetworkModel
import Testing

extension DatapathTests {
    /// `tc_syn_behind_in` and `tc_syn_behind_out`: servers on other machines.
    @Suite struct SynBehindTests {
        private static let left = UInt32(bitPattern: -1)
        private static let clientClock: UInt32 = 77

        /// The programs with tables of their own; the server is `family.own`.
        private final class Router {
            let inward: BPFProgram
            let outward: BPFProgram
            let gates: BPFMap<syn_gate_key, syn_gate>
            let flows: BPFMap<syn_flow_key, syn_flow>
            let tables: SynTables
            let family: Family

            init(_ family: Family) throws {
                let object = try BPFObject(.syn_behind)
                try object.load()
                let inward = try object.program("tc_syn_behind_in")
                let outward = try object.program("tc_syn_behind_out")
                let gates: BPFMap<syn_gate_key, syn_gate> = try object.map("syn_gates_map")
                let networks: BPFMap<syn_behind_key, UInt32> = try object.map("syn_behind_map")
                let flows: BPFMap<syn_flow_key, syn_flow> = try object.map("syn_flows_map")
                tables = try SynTables(object)
                self.family = family
                self.inward = inward
                self.outward = outward
                self.gates = gates
                self.flows = flows
                var settings = SynSettings()
                settings.mode = .always
                tables.configure(settings)
                var key = syn_behind_key()
                key.prefix_length = 16 + 128
                key.port = SynFixture.port.bigEndian
                key.address = family.own.kernelAddress.bytes
                try networks.update(key, to: 1)
            }

            var l4: Int { family == .v4 ? 34 : 54 }

            var gateKey: syn_gate_key {
                syn_gate_key(address: family.own.kernelAddress, port: SynFixture.port.bigEndian, pad: 0)
            }

            func gate() throws -> syn_gate? { try gates.value(for: gateKey) }

            func flow() throws -> syn_flow? {
                try flows.value(
                    for: syn_flow_key(
                        server: family.own.kernelAddress, client: family.world.kernelAddress,
                        server_port: SynFixture.port.bigEndian, client_port: SynFixture.clientPort.bigEndian))
            }

            func comeIn(_ packet: Packet) throws -> (verdict: UInt32, packet: [UInt8]) {
                let result = try inward.testRun(packet: packet.toUs().bytes, context: PacketContext(ifindex: 1))
                return (result.verdict, result.packet)
            }

            func goOut(_ packet: Packet) throws -> (verdict: UInt32, packet: [UInt8]) {
                let result = try outward.testRun(packet: packet.toUs().bytes, context: PacketContext(ifindex: 1))
                return (result.verdict, result.packet)
            }

            /// A segment of the server to the client of the tests.
            func server(
                _ flags: UInt8, sequence: UInt32, acknowledged: UInt32, window: UInt16 = 0x1000, options: [UInt8] = []
            ) -> Packet {
                let header: [UInt8] =
                    SynFixture.port.networkOrder + SynFixture.clientPort.networkOrder + sequence.networkOrder
                    + acknowledged.networkOrder + [UInt8((20 + options.count) / 4) << 4, flags] + window.networkOrder
                    + [0, 0, 0, 0]
                return Packet.ip(family.own, to: family.world)
                    .transport(6, header + options, checksum: .withAddresses(16))
            }

            static let granted: [UInt8] =
                [2, 4] + UInt16(1400).networkOrder + [4, 2, 8, 10] + UInt32(5000).networkOrder
                + clientClock.networkOrder + [1, 3, 3, 10]

            static let serverSequence: UInt32 = 0xF000_0000

            func synAck() -> Packet {
                server(
                    0x12, sequence: Router.serverSequence, acknowledged: SynFixture.sequence &+ 1,
                    options: Router.granted)
            }

            /// A word of the TCP header.
            func word(_ packet: [UInt8], _ at: Int) -> UInt32 {
                packet[(l4 + at)..<(l4 + at + 4)].reduce(0) { $0 << 8 | UInt32($1) }
            }

            func expectValid(_ packet: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
                let addresses = family == .v4 ? packet[26..<34] : packet[22..<54]
                let length = UInt32(packet.count - l4).networkOrder
                #expect(
                    internetChecksum(Array(addresses) + length + [0, 0, 0, 6] + packet[l4...]) == 0,
                    sourceLocation: sourceLocation)
                if family == .v4 {
                    #expect(internetChecksum(Array(packet[14..<34])) == 0, sourceLocation: sourceLocation)
                }
                let total = family == .v4 ? packet[16..<18] : packet[18..<20]
                let wanted = UInt16(packet.count - (family == .v4 ? 14 : 54))
                #expect(Array(total) == wanted.networkOrder, sourceLocation: sourceLocation)
            }

            /// A SYN and the server's answer to it: from then on the server is known.
            func learn() throws {
                #expect(try comeIn(.syn(family)).verdict == left, "nobody has answered yet")
                #expect(try goOut(synAck()).verdict == left)
            }

            /// The cookie for the SYN of the tests.
            func askedCookie() throws -> UInt32 {
                let answer = try comeIn(.syn(family))
                #expect(answer.verdict == 7)
                return word(answer.packet, 4)
            }

            func open() throws -> UInt32 {
                let cookie = try askedCookie()
                _ = try comeIn(.answer(family, cookie: cookie, echo: echo))
                _ = try goOut(synAck())
                return cookie
            }

            /// The clock that the last cookie went out with, from the answer to one more SYN.
            var echo: UInt32 {
                get throws { word(try comeIn(.syn(family)).packet, 28) }
            }
        }

        private static func run(_ family: Family, _ body: @escaping @Sendable (Router) throws -> Void) async throws {
            try await inFreshNetworkNamespace {
                try shell("ip link set lo up")
                let router = try Router(family)
                try SynFixture.inOneStep { _ in try body(router) }
            }
        }

        @Test(arguments: Family.allCases)
        func `who has answered is answered for, with an empty window`(family: Family) async throws {
            try await SynBehindTests.run(family) { router in
                try router.learn()
                let gate = try #require(try router.gate())
                #expect(gate.space == SYN_SPACE_BEHIND && gate.mss == 1400)
                #expect(
                    gate.offer == UInt8(SYN_OFFER_WINDOW_SCALE | SYN_OFFER_SACK | SYN_OFFER_TIMESTAMPS))
                let (verdict, answer) = try router.comeIn(.syn(family))
                #expect(verdict == 7)
                router.expectValid(answer)
                #expect(answer[router.l4 + 13] == 0x12)
                #expect(answer[(router.l4 + 14)..<(router.l4 + 16)] == [0, 0])
                #expect(router.word(answer, 20) == 0x0204_0000 | 1400)
                #expect(router.word(answer, 36) == 0x0103_0300 | UInt32(SYN_BEHIND_SCALE))
                // Of other ports and addresses nothing is answered, nor learnt.
                #expect(try router.comeIn(.syn(family, port: 9)).verdict == SynBehindTests.left)
                var forgotten = gate
                forgotten.confirmed -= 11_000_000_000
                try router.gates.update(router.gateKey, to: forgotten)
                #expect(try router.comeIn(.syn(family)).verdict == SynBehindTests.left, "the server may be gone")
            }
        }

        @Test(arguments: Family.allCases)
        func `one SYN a second is let through where nobody else confirms that the server is there`(family: Family)
            async throws
        {
            try await SynBehindTests.run(family) { router in
                try router.learn()
                var gate = try #require(try router.gate())
                gate.confirmed -= 2_000_000_000
                try router.gates.update(router.gateKey, to: gate)
                #expect(try router.comeIn(.syn(family)).verdict == SynBehindTests.left)
                for _ in 0..<20 { #expect(try router.comeIn(.syn(family)).verdict == 7) }
            }
        }

        @Test(arguments: Family.allCases)
        func `the ACK with the cookie becomes the client's SYN`(family: Family) async throws {
            try await SynBehindTests.run(family) { router in
                try router.learn()
                let cookie = try router.askedCookie(), echo = try router.echo
                let forged = try router.comeIn(.answer(family, cookie: cookie ^ 1 << 12, echo: echo))
                #expect(forged.verdict == SynBehindTests.left)
                #expect(forged.packet[router.l4 + 13] == 0x10, "no cookie of ours, and nothing known: as it is")
                // The second is a probe of the empty window, as of a client whose server took longer than that.
                for back: UInt32 in [0, 1, 0] {
                    let (verdict, syn) = try router.comeIn(
                        .answer(family, cookie: cookie, sequence: SynFixture.sequence &- back, echo: echo))
                    #expect(verdict == SynBehindTests.left)
                    router.expectValid(syn)
                    #expect(syn[router.l4 + 13] == 0x02)
                    #expect(router.word(syn, 4) == SynFixture.sequence)
                    #expect(router.word(syn, 8) == 0)
                    #expect(router.word(syn, 20) == 0x0204_0000 | (family == .v4 ? 1460 : 1440))
                    #expect(router.word(syn, 24) == 0x0402_080a)
                    #expect(router.word(syn, 28) == SynBehindTests.clientClock)
                    #expect(router.word(syn, 32) == 0)
                    #expect(router.word(syn, 36) == 0x0103_0307)
                    #expect(syn.count == router.l4 + 40)
                }
                #expect(try #require(try router.flow()).state == UInt8(SYN_FLOW_WAITS))
                // The server knows these numbers not yet, and would reset the connection.
                let early: [Packet] = [
                    .answer(family, cookie: cookie ^ 1 << 12, echo: echo),
                    .answer(family, cookie: cookie, sequence: SynFixture.sequence &- 2, echo: echo),
                    .segment(family, 0x11, sequence: SynFixture.sequence &+ 1, acknowledged: cookie &+ 1),
                ]
                for packet in early { #expect(try router.comeIn(packet).verdict == 2) }
                #expect(try #require(try router.flow()).state == UInt8(SYN_FLOW_WAITS))
            }
        }

        @Test(arguments: Family.allCases)
        func `the server's answer opens the window, and numbers are translated from then on`(family: Family)
            async throws
        {
            try await SynBehindTests.run(family) { router in
                try router.learn()
                let cookie = try router.askedCookie(), echo = try router.echo
                _ = try router.comeIn(.answer(family, cookie: cookie, echo: echo))
                let (verdict, update) = try router.goOut(router.synAck())
                #expect(verdict == SynBehindTests.left)
                router.expectValid(update)
                #expect(update[router.l4 + 13] == 0x10)
                #expect(router.word(update, 4) == cookie &+ 1)
                #expect(router.word(update, 8) == SynFixture.sequence &+ 1)
                #expect(router.word(update, 12) & 0xffff == 0x1000 >> UInt32(SYN_BEHIND_SCALE))
                #expect(router.word(update, 28) == SynBehindTests.clientClock)
                let clock = router.word(update, 24)
                #expect(clock &- echo < 5000, "its clock goes on from the cookie's")

                // The server's scale is 10: what it announces is four times as much in ours.
                let (_, data) = try router.goOut(
                    router.server(
                        0x18, sequence: Router.serverSequence &+ 1, acknowledged: SynFixture.sequence &+ 1,
                        window: 100,
                        options: [1, 1, 8, 10] + UInt32(5003).networkOrder + SynBehindTests.clientClock.networkOrder))
                router.expectValid(data)
                #expect(router.word(data, 4) == cookie &+ 1)
                #expect(router.word(data, 8) == SynFixture.sequence &+ 1)
                #expect(router.word(data, 12) & 0xffff == 400)
                #expect(router.word(data, 24) == clock &+ 3)
                #expect(router.word(data, 28) == SynBehindTests.clientClock)

                let edges = [cookie &+ 100, cookie &+ 200, cookie &+ 300, cookie &+ 400]
                let (_, ack) = try router.comeIn(
                    .segment(
                        family, 0x10, sequence: SynFixture.sequence &+ 1, acknowledged: cookie &+ 9,
                        options: [8, 10] + UInt32(80).networkOrder + (clock &+ 3).networkOrder + [5, 18]
                            + edges.flatMap(\.networkOrder)))
                router.expectValid(ack)
                #expect(router.word(ack, 4) == SynFixture.sequence &+ 1)
                #expect(router.word(ack, 8) == Router.serverSequence &+ 9)
                #expect(router.word(ack, 22) == 80)
                #expect(router.word(ack, 26) == 5003)
                for (index, edge) in [100, 200, 300, 400].enumerated() {
                    #expect(router.word(ack, 32 + 4 * index) == Router.serverSequence &+ UInt32(edge))
                }
            }
        }

        @Test(arguments: Family.allCases)
        func `a refusal is one that the client believes`(family: Family) async throws {
            try await SynBehindTests.run(family) { router in
                try router.learn()
                let cookie = try router.askedCookie()
                _ = try router.comeIn(.answer(family, cookie: cookie, echo: router.echo))
                let (_, reset) = try router.goOut(
                    router.server(0x14, sequence: 0, acknowledged: SynFixture.sequence &+ 1, window: 0))
                router.expectValid(reset)
                #expect(router.word(reset, 4) == cookie &+ 1)
                #expect(try #require(try router.flow()).state == UInt8(SYN_FLOW_CLOSED))
            }
        }

        @Test(arguments: Family.allCases, [SYN_FLOW_CLOSING, SYN_FLOW_CLOSED, SYN_FLOW_OPEN])
        func `who takes a port again after closing or a silence is a new client, and no echo of the old one is`(
            family: Family, state: Int
        ) async throws {
            try await SynBehindTests.run(family) { router in
                try router.learn()
                let cookie = try router.open(), echo = try router.echo
                let key = syn_flow_key(
                    server: family.own.kernelAddress, client: family.world.kernelAddress,
                    server_port: SynFixture.port.bigEndian, client_port: SynFixture.clientPort.bigEndian)
                var flow = try #require(try router.flow())
                flow.state = UInt8(state)
                if state == SYN_FLOW_OPEN { flow.seen = SynFixture.now() &- 6_000_000_000 }
                try router.flows.update(key, to: flow)
                let late = try router.comeIn(.answer(family, cookie: cookie, echo: echo))
                #expect(late.packet[router.l4 + 13] == 0x10, "the same connection's, once more")
                if state == SYN_FLOW_OPEN { flow.seen = SynFixture.now() }
                flow.isn &-= 50_000
                flow.cookie &+= 99
                try router.flows.update(key, to: flow)
                if state == SYN_FLOW_OPEN {
                    let live = try router.comeIn(.answer(family, cookie: cookie, echo: echo))
                    #expect(live.packet[router.l4 + 13] == 0x10, "who is there keeps the port")
                    flow.seen = SynFixture.now() &- 6_000_000_000
                    try router.flows.update(key, to: flow)
                }
                let (verdict, syn) = try router.comeIn(.answer(family, cookie: cookie, echo: echo))
                #expect(verdict == SynBehindTests.left && syn[router.l4 + 13] == 0x02)
                #expect(try #require(try router.flow()).state == UInt8(SYN_FLOW_WAITS))
                // The server still speaks of the old one: that is over.
                let (refused, reset) = try router.goOut(
                    router.server(0x10, sequence: 77, acknowledged: flow.isn &+ 500))
                #expect(refused == 7)
                router.expectValid(reset)
                #expect(reset[router.l4 + 13] == 0x04 && router.word(reset, 4) == flow.isn &+ 500)
                #expect(Array(reset[router.l4..<router.l4 + 2]) == SynFixture.clientPort.networkOrder)
                #expect(try router.goOut(router.server(0x01, sequence: 77, acknowledged: 0)).verdict == 2)
            }
        }

        @Test(arguments: Family.allCases)
        func `a SYN that is let through ends what was translated for its ports, a late one does not`(family: Family)
            async throws
        {
            try await SynBehindTests.run(family) { router in
                try router.learn()
                _ = try router.open()
                #expect(try #require(try router.flow()).state == UInt8(SYN_FLOW_OPEN))
                var settings = SynSettings()
                settings.ports = [9: .always]
                router.tables.configure(settings)
                #expect(try router.comeIn(.syn(family)).verdict == 2, "again, from the network")
                #expect(try router.flow() != nil)
                let other = Packet.segment(family, 0x02, sequence: 99)
                #expect(try router.comeIn(other).verdict == SynBehindTests.left)
                #expect(try router.flow() == nil)
            }
        }

        @Test(arguments: Family.allCases)
        func `flows expire, and what is not translated is left as it is`(family: Family) async throws {
            try await SynBehindTests.run(family) { router in
                let data = router.server(0x18, sequence: 5, acknowledged: 6)
                #expect(try router.goOut(data).packet == data.toUs().bytes)
                try router.learn()
                let cookie = try router.open()
                let key = syn_flow_key(
                    server: family.own.kernelAddress, client: family.world.kernelAddress,
                    server_port: SynFixture.port.bigEndian, client_port: SynFixture.clientPort.bigEndian)
                var flow = try #require(try router.flow())
                #expect(try router.goOut(data).packet != data.toUs().bytes)
                for (state, seconds) in [(SYN_FLOW_WAITS, 31), (SYN_FLOW_CLOSED, 61), (SYN_FLOW_OPEN, 3 * 3600 + 1)] {
                    flow.state = UInt8(state)
                    flow.seen = SynFixture.now() &- UInt64(seconds) * 1_000_000_000
                    // A machine that has just started has no such time.
                    guard flow.seen < SynFixture.now() else { continue }
                    try router.flows.update(key, to: flow)
                    #expect(try router.goOut(data).packet == data.toUs().bytes, "state \(state)")
                }
                #expect(cookie == flow.cookie)
                // What goes back with a cookie is no server's answer: it is not for us.
                try router.gates.remove(router.gateKey)
                try router.flows.remove(key)
                _ = try router.outward.testRun(packet: router.synAck().bytes, context: PacketContext(ifindex: 1))
                #expect(try router.gate() == nil)
            }
        }
    }
}
