// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import KernelDatapath
import NetworkModel
import Testing

extension DatapathTests {
    /// What the programs that judge make of SYNs that are answered with cookies, and of the ACKs that bring them back.
    @Suite struct SynJudgeTests {
        private let fixture: Fixture

        init() throws {
            fixture = try Fixture.fresh()
            for word in 0..<8 {
                fixture.maps.synSettings.write(UInt64(word) &* 0x9E37_79B9_7F4A_7C15 &+ 1, at: 8 * word)
            }
        }

        private func arm() {
            fixture.maps.synSettings.storeReleasingDoubleWord(
                UInt64.max / 2, at: MemoryLayout<syn_settings>.offset(of: \.armed_until) ?? 0)
        }

        private func defend(_ family: Family, isEngaged: Bool = true) throws {
            arm()
            var gate = syn_gate()
            gate.engaged = isEngaged ? 1 : 0
            let key = syn_gate_key(
                address: family.own.kernelAddress, port: SynFixture.port.bigEndian, pad: 0)
            try fixture.maps.synGates.update(key, to: gate)
        }

        private func gate(_ family: Family) throws -> syn_gate? {
            try fixture.maps.synGates.value(
                for: syn_gate_key(address: family.own.kernelAddress, port: SynFixture.port.bigEndian, pad: 0))
        }

        private func synAck(_ family: Family) -> Packet {
            Packet.ip(family.own, to: family.world).tcp(SynFixture.port, SynFixture.clientPort, .synAck)
        }

        private func cookie(_ family: Family, step: UInt64) -> UInt32 {
            let slot = Int(step % 4)
            let key = (0..<2).map { fixture.maps.synSettings.value(at: 16 * slot + 8 * $0, as: UInt64.self) }
            return SynCookie(
                key: key, remote: family.world, remotePort: SynFixture.clientPort, sequence: SynFixture.sequence
            ).value(step: step, options: 7 << 5)
        }

        @Test(arguments: Family.allCases)
        func `SYNs to a defended listener and their answers make neither flows nor events`(family: Family) throws {
            try defend(family)
            for _ in 0..<3 {
                let syn = try fixture.send(.syn(family), .toEndpoint)
                #expect(syn.passed && syn.events.isEmpty)
                let answer = try fixture.send(synAck(family), .fromEndpoint)
                #expect(answer.passed && answer.events.isEmpty)
            }
            #expect(try fixture.flows().isEmpty)
            try defend(family, isEngaged: false)
            #expect(try fixture.send(.syn(family), .toEndpoint).events.count == 1)
            #expect(try fixture.state() == CONNTRACK_SYN_SENT)
        }

        @Test(arguments: Family.allCases)
        func `SYNs to a port that is published for a defended listener make no flows either`(family: Family) throws {
            arm()
            let target = syn_gate_key(address: family.stranger.kernelAddress, port: UInt16(80).bigEndian, pad: 0)
            var gate = syn_gate(), published = syn_published()
            gate.engaged = 1
            published.confirmed = SynFixture.now()
            published.target = target
            try fixture.maps.synGates.update(target, to: gate)
            let key = syn_published_key(
                address: family.own.kernelAddress, port: SynFixture.port.bigEndian, pad: 0, device: 1)
            try fixture.maps.synPublished.update(key, to: published)
            let syn = try fixture.send(.syn(family), .toEndpoint)
            #expect(syn.passed && syn.events.isEmpty)
            let answer = try fixture.send(synAck(family), .fromEndpoint)
            #expect(answer.passed && answer.events.isEmpty)
            #expect(try fixture.flows().isEmpty)
            #expect(try #require(try fixture.maps.synPublished.value(for: key)).restricted == 0)
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            #expect(try !fixture.send(.syn(family), .toEndpoint).passed)
            #expect(try #require(try fixture.maps.synPublished.value(for: key)).restricted > 0, "a front hears of it")
            try fixture.commit(TestPolicy())
            published.confirmed -= 3_000_000_000
            try fixture.maps.synPublished.update(key, to: published)
            _ = try fixture.send(.syn(family), .toEndpoint)
            #expect(try fixture.state() == CONNTRACK_SYN_SENT, "what is not confirmed counts no more")
        }

        @Test(arguments: Family.allCases)
        func `the ACK with the cookie begins the flow, as one that the peer opened`(family: Family) throws {
            try defend(family)
            try SynFixture.inOneStep { step in
                for made in [step, step - 1] {
                    try fixture.forgetFlows()
                    let outcome = try fixture.send(.answer(family, cookie: cookie(family, step: made)), .toEndpoint)
                    outcome.expectPass(state: .new)
                    let flow = try #require(try fixture.onlyFlow())
                    #expect(flow.state == CONNTRACK_ESTABLISHED)
                    #expect(flow.isOpenedByPeer && !flow.has(CONNTRACK_GUESSED) && !flow.has(CONNTRACK_EITHER))
                    try fixture.send(
                        Packet.ip(family.own, to: family.world).tcp(SynFixture.port, SynFixture.clientPort, .ack),
                        .fromEndpoint
                    ).expectPass(state: nil)
                }
            }
        }

        @Test(arguments: Family.allCases)
        func `without a valid cookie an ACK is judged as mid-stream`(family: Family) throws {
            try SynFixture.inOneStep { step in
                let right = cookie(family, step: step)
                // Nobody is defended: nothing is looked at.
                _ = try fixture.send(.answer(family, cookie: right), .toEndpoint)
                #expect(try fixture.state() == CONNTRACK_PICKED_UP)
                try defend(family)
                for wrong in [right ^ 1 << 12, cookie(family, step: step - 2)] {
                    try fixture.forgetFlows()
                    _ = try fixture.send(.answer(family, cookie: wrong), .toEndpoint)
                    #expect(try fixture.state() == CONNTRACK_PICKED_UP)
                    #expect(try fixture.onlyFlow()?.has(CONNTRACK_GUESSED) == true)
                }
            }
        }

        @Test(arguments: Family.allCases)
        func `policy comes before cookies`(family: Family) throws {
            try defend(family)
            let before = try #require(try gate(family)).restricted
            #expect(before == 0)
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            let syn = try fixture.send(.syn(family), .toEndpoint)
            #expect(!syn.passed && syn.event?.verdict == .deny)
            try SynFixture.inOneStep { step in
                let ack = try fixture.send(.answer(family, cookie: cookie(family, step: step)), .toEndpoint)
                #expect(!ack.passed)
            }
            #expect(try fixture.flows().isEmpty)
            #expect(try #require(try gate(family)).restricted > 0, "a front that cannot ask policy hears of it")
        }

        @Test(arguments: Family.allCases)
        func `a flow that is there already goes on as before`(family: Family) throws {
            // Opened before the listener was defended.
            _ = try fixture.send(.syn(family), .toEndpoint)
            try defend(family)
            _ = try fixture.send(synAck(family), .fromEndpoint)
            #expect(try fixture.state() == CONNTRACK_SYN_RECEIVED)
            _ = try fixture.send(.segment(family, 0x10, options: []), .toEndpoint)
            #expect(try fixture.state() == CONNTRACK_ESTABLISHED)
        }
    }
}
