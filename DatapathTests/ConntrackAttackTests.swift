// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    /// What one packet, perhaps a forged one, must not be able to do to the table or to a flow in it.
    @Suite struct ConntrackAttackTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private func talk(_ family: Family, _ opener: Direction) -> Talk {
            opener == .egress ? .client(family) : .server(family)
        }

        // MARK: - One side alone

        @Test(arguments: ConntrackTCPTests.openings) func `a stream is established once both sides were heard`(
            family: Family, side: Direction
        ) throws {
            for flags in [TCPFlags.ack, .finAck] {
                try fixture.forgetFlows()
                let talk = talk(family, .egress)
                for _ in 0..<3 { try fixture.tcp(talk, side, flags) }
                try fixture.tcp(talk, side, [.ack, .psh])
                #expect(try fixture.state() == CONNTRACK_PICKED_UP)
                try fixture.tcp(talk, side.opposite, .ack).expectPass(state: nil)
                #expect(try fixture.state() == (flags == .ack ? CONNTRACK_ESTABLISHED : CONNTRACK_CLOSING))
            }
        }

        @Test(arguments: ConntrackTCPTests.openings)
        func `nothing that the opener says alone lengthens its flow's life`(
            family: Family, opener: Direction
        ) throws {
            let talk = talk(family, opener)
            try fixture.tcp(talk, opener, .syn)
            for flags in [TCPFlags.ack, .finAck, [.ack, .psh]] {
                try fixture.tcp(talk, opener, flags).expectPass(state: nil)
                #expect(try fixture.state() == CONNTRACK_SYN_SENT)
            }
            try fixture.forgetFlows()
            try fixture.tcp(talk, opener, .synAck)
            try fixture.tcp(talk, opener, .finAck)
            #expect(try fixture.state() == CONNTRACK_SYN_RECEIVED)
        }

        @Test(arguments: Family.allCases)
        func `an endpoint that holds its share gets no more flows: DROP_CONNTRACK_SHARE`(family: Family) throws {
            fixture.config.conntrack_share = 3
            fixture.writeConfig()
            let packet = { (port: UInt16) in Packet.ip(family.own, to: family.peer).udp(port, 53) }
            for port: UInt16 in 1...3 { try fixture.send(packet(port)).expectPass(state: .new) }
            let refused = try fixture.send(packet(4))
            refused.expectDrop(DROP_CONNTRACK_SHARE)
            #expect(refused.count(METRIC_CONNTRACK_FULL) == 1)
            #expect(try fixture.maps.endpointFlows.value(for: UInt32(Fixture.endpoint)) == 3)
            // What it has goes on; a flow that takes an old one's place needs no room.
            try fixture.send(packet(2)).expectPass(state: nil)
            try fixture.age(byTicks: 100 * Fixture.ticksPerSecond)
            let again = try fixture.send(packet(1))
            again.expectPass(state: .new)
            #expect(again.count(METRIC_CONNTRACK_EXPIRED) == 1)
            #expect(try fixture.maps.endpointFlows.value(for: UInt32(Fixture.endpoint)) == 3)
            // Another endpoint has a share of its own.
            let record = endpoint_entry(
                ifindex: 1, subject: UInt32(Fixture.subject), identity: 99, endpoint: 8, flags: 0)
            try fixture.maps.endpoints.update(1, to: record)
            try fixture.maps.addresses.update(family.own.endpointKey(8), to: 1)
            try fixture.send(packet(4)).expectPass(state: .new)
        }

        // MARK: - Resets

        @Test(arguments: ConntrackTCPTests.openings) func `a flow that goes on after a reset is alive again`(
            family: Family, opener: Direction
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(opener.opposite))
            let talk = talk(family, opener)
            for next in Direction.allCases {
                try fixture.forgetFlows()
                try fixture.establish(talk, openedBy: opener)
                try fixture.tcp(talk, opener.opposite, .rst).expectPass(state: .closed)
                try fixture.tcp(talk, next, [.ack, .psh]).expectPass(state: nil)
                #expect(try fixture.state() == CONNTRACK_PICKED_UP)
                try fixture.tcp(talk, next.opposite, .ack).expectPass(state: nil)
                let flow = try #require(try fixture.onlyFlow())
                #expect(flow.state == CONNTRACK_ESTABLISHED && flow.isOpenedByPeer == (opener == .ingress))
            }
        }

        @Test(arguments: ConntrackTCPTests.openings) func `a flow that was reset fades while only one side goes on`(
            family: Family, opener: Direction
        ) throws {
            let talk = talk(family, opener)
            try fixture.establish(talk, openedBy: opener)
            for _ in 0..<3 {
                try fixture.tcp(talk, opener, [.ack, .psh])
                try fixture.tcp(talk, opener.opposite, .rst)
                #expect(try fixture.state() == CONNTRACK_RESET)
            }
        }

        // MARK: - Who opened it

        /// Whoever it was, it was not the other one: an expired entry still knows.
        @Test(arguments: ConntrackTCPTests.openings) func `an expired flow goes on as it was opened`(
            family: Family, opener: Direction
        ) throws {
            var talk = Talk.client(family, port: 50051)
            talk.localPort = opener == .egress ? 40000 : 60000
            try fixture.establish(talk, openedBy: opener)
            try fixture.commit(TestPolicy().defaultDeny(opener))
            try fixture.age(byTicks: 100 * Fixture.ticksPerSecond)
            for direction in Direction.allCases {
                try fixture.tcp(talk, direction, .ack).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            }
            try fixture.commit(TestPolicy().defaultDeny(opener.opposite))
            try fixture.tcp(talk, opener.opposite, .ack).expectPass(state: .reply)
            #expect(try fixture.onlyFlow()?.isOpenedByPeer == (opener == .ingress))
        }

        @Test(arguments: ConntrackTCPTests.openings)
        func `a stream between two client ports is allowed if either side may have opened it`(
            family: Family, opener: Direction
        ) throws {
            // 50051 is the server's, and higher than the client's.
            var talk = Talk.client(family, port: 50051)
            if opener == .ingress { (talk.localPort, talk.remotePort) = (50051, 40000) }
            let port: TestPolicy.Ports = .ports(.tcp, 50051)
            let policy = TestPolicy().defaultDeny(.ingress).defaultDeny(.egress).allow(opener, port, rule: 20)
            try fixture.commit(policy)
            for first in Direction.allCases {
                try fixture.forgetFlows()
                try fixture.tcp(talk, first, .ack).expectPass(rule: 20, state: first == opener ? .new : .reply)
                try fixture.tcp(talk, first.opposite, .ack).expectPass(rule: 20, state: nil)
                #expect(try fixture.onlyFlow()?.isOpenedByPeer == (opener == .ingress))
            }
            // A SYN speaks for itself: nobody opens a connection in the direction that is closed.
            try fixture.tcp(talk, opener.opposite, .syn).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.commit(policy.allow(opener, port, rule: 22, priority: 1))
            try fixture.tcp(talk, opener, .ack).expectPass(rule: 22, state: nil)
            try fixture.commit(TestPolicy().defaultDeny(.ingress).defaultDeny(.egress))
            for direction in Direction.allCases {
                try fixture.tcp(talk, direction, .ack).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            }
        }

        @Test(arguments: ConntrackTCPTests.openings)
        func `a stream between a server's and a client's port is the client's`(
            family: Family, opener: Direction
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(opener))
            let talk = talk(family, opener)
            for direction in Direction.allCases {
                try fixture.tcp(talk, direction, .ack).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            }
        }

        // MARK: - Revoked, and allowed the other way

        @Test(arguments: ConntrackTCPTests.openings)
        func `a revoked flow between equal ports is opened again from the side that may`(
            family: Family, opener: Direction
        ) throws {
            var talk = Talk.client(family)
            talk.localPort = talk.remotePort
            try fixture.udp(talk, opener)
            try fixture.udp(talk, opener.opposite)
            try fixture.commit(TestPolicy().defaultDeny(opener))
            for _ in 0..<3 { try fixture.udp(talk, opener).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60) }
            try fixture.udp(talk, opener.opposite).expectPass(state: .new)
            #expect(try fixture.onlyFlow()?.isOpenedByPeer == (opener == .egress))
            try fixture.udp(talk, opener).expectPass(state: nil)
            try fixture.commit(TestPolicy().defaultDeny(.egress).defaultDeny(.ingress))
            for direction in Direction.allCases {
                try fixture.udp(talk, direction).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            }
        }
    }
}
