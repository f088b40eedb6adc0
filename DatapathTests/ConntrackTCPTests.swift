// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    @Suite struct ConntrackTCPTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        /// Who opens a flow, in each family.
        static let openings = Family.allCases.flatMap { family in
            [(family, Direction.egress), (family, Direction.ingress)]
        }

        private func talk(_ family: Family, _ opener: Direction) -> Talk {
            opener == .egress ? .client(family) : .server(family)
        }

        @Test(arguments: openings) func `a handshake walks through its states with one event`(
            family: Family, opener: Direction
        ) throws {
            let talk = talk(family, opener)
            try fixture.tcp(talk, opener, .syn).expectPass(state: .new)
            #expect(try fixture.state() == CONNTRACK_SYN_SENT)
            try fixture.tcp(talk, opener.opposite, .synAck).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_SYN_RECEIVED)
            try fixture.tcp(talk, opener.opposite, .synAck).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_SYN_RECEIVED, "only the opener's answer completes it")
            try fixture.tcp(talk, opener, .ack).expectPass(state: nil)
            let flow = try #require(try fixture.onlyFlow())
            #expect(flow.state == CONNTRACK_ESTABLISHED)
            #expect(flow.isOpenedByPeer == (opener == .ingress))
            #expect(flow.entry.packets.0 == 2 && flow.entry.packets.1 == 2)
        }

        @Test(arguments: openings) func `both ends saying FIN close the flow and the last one is reported`(
            family: Family, opener: Direction
        ) throws {
            let talk = talk(family, opener)
            try fixture.establish(talk, openedBy: opener)
            try fixture.tcp(talk, opener.opposite, .finAck).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_CLOSING)
            try fixture.tcp(talk, opener.opposite, .finAck).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_CLOSING, "one end alone cannot close both")
            try fixture.tcp(talk, opener, .ack).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_CLOSING)
            let end = try fixture.tcp(talk, opener, .finAck)
            end.expectPass(state: .closed)
            #expect(end.event?.packets == 4, "SYN, ACK, ACK, FIN of the opener")
            #expect(try fixture.state() == CONNTRACK_CLOSED)
            try fixture.tcp(talk, opener.opposite, .ack).expectPass(state: nil)
        }

        @Test(arguments: openings) func `a reset by either end ends the flow and is reported`(
            family: Family, opener: Direction
        ) throws {
            for side in Direction.allCases {
                try fixture.forgetFlows()
                let talk = talk(family, opener)
                try fixture.establish(talk, openedBy: opener)
                try fixture.tcp(talk, side, [.rst, .ack]).expectPass(state: .closed)
                #expect(try fixture.state() == CONNTRACK_RESET)
                try fixture.tcp(talk, side, .rst).expectPass(state: nil)
                #expect(try fixture.state() == CONNTRACK_RESET)
            }
        }

        @Test(arguments: Family.allCases) func `both ends may open at the same time`(family: Family) throws {
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            let talk = Talk.client(family)
            try fixture.tcp(talk, .egress, .syn)
            try fixture.tcp(talk, .ingress, .syn).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_SYN_RECEIVED)
            try fixture.tcp(talk, .egress, .synAck).expectPass(state: nil)
            try fixture.tcp(talk, .ingress, .synAck).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_ESTABLISHED)
            #expect(try fixture.onlyFlow()?.isOpenedByPeer == false)
        }

        @Test(arguments: Family.allCases) func `a SYN begins anew on a flow that is closing or closed`(
            family: Family
        ) throws {
            let talk = Talk.client(family)
            for ending in [TCPFlags.finAck, .rst] {
                try fixture.establish(talk, openedBy: .egress)
                try fixture.tcp(talk, .egress, ending)
                try fixture.tcp(talk, .egress, .syn).expectPass(state: .new)
                #expect(try fixture.state() == CONNTRACK_SYN_SENT)
                #expect(try fixture.onlyFlow()?.entry.packets.0 == 1, "counted from the beginning")
            }
        }

        @Test(arguments: Family.allCases) func `a repeated SYN of the opener does not begin anew`(
            family: Family
        ) throws {
            let talk = Talk.client(family)
            try fixture.tcp(talk, .egress, .syn)
            try fixture.tcp(talk, .egress, .syn).expectPass(state: nil)
            try fixture.establish(talk, openedBy: .egress)
            try fixture.tcp(talk, .egress, .syn).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_ESTABLISHED)
        }

        @Test(arguments: Family.allCases) func `a SYN from the other side is judged as the other side's`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            let talk = Talk.client(family)
            for flags in [TCPFlags.ack, .finAck, .rst] {
                try fixture.forgetFlows()
                try fixture.establish(talk, openedBy: .egress)
                try fixture.tcp(talk, .egress, flags)
                try fixture.tcp(talk, .ingress, .syn).expectDrop(
                    DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
                try fixture.tcp(talk, .ingress, [.syn, .psh]).expectDrop(
                    DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
            }
            try fixture.commit(TestPolicy())
            try fixture.establish(talk, openedBy: .egress)
            for direction in [Direction.egress, .ingress] { try fixture.tcp(talk, direction, .finAck) }
            #expect(try fixture.state() == CONNTRACK_CLOSED)
            try fixture.tcp(talk, .ingress, .syn).expectPass(state: .new)
            #expect(try fixture.onlyFlow()?.isOpenedByPeer == true)
        }

        /// Else a forged SYN, after a forged RST, would make the server of a live connection its client.
        @Test(arguments: openings) func `no SYN turns a living connection round`(
            family: Family, opener: Direction
        ) throws {
            let talk = talk(family, opener)
            for before in [TCPFlags.ack, .finAck, .rst] {
                try fixture.forgetFlows()
                try fixture.establish(talk, openedBy: opener)
                try fixture.tcp(talk, opener, before)
                let state = try fixture.state()
                try fixture.tcp(talk, opener.opposite, .syn).expectPass(state: .new)
                let flow = try #require(try fixture.onlyFlow())
                #expect(flow.isOpenedByPeer == (opener == .ingress) && flow.state == state)
            }
        }

        @Test(arguments: Family.allCases) func `a stream met in the middle belongs to the side with the lower port`(
            family: Family
        ) throws {
            // Only the endpoint's own server may be reached; it may call nobody.
            let policy = TestPolicy().defaultDeny(.ingress).defaultDeny(.egress)
                .allow(.ingress, .ports(.tcp, 80), rule: 20)
            try fixture.commit(policy)
            let server = Talk.server(family)
            try fixture.tcp(server, .egress, .ack).expectPass(rule: 20, state: .reply)
            #expect(try fixture.onlyFlow()?.isOpenedByPeer == true)
            #expect(try fixture.state() == CONNTRACK_PICKED_UP)
            try fixture.forgetFlows()
            try fixture.tcp(server, .ingress, [.ack, .psh], payload: 5).expectPass(rule: 20, state: .new)
            let client = Talk.client(family)
            try fixture.tcp(client, .ingress, .ack).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.tcp(client, .egress, .ack).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            var equal = Talk.server(family)
            equal.remotePort = 80
            try fixture.tcp(equal, .egress, .ack).expectPass(rule: 20, state: .reply)
        }

        @Test(arguments: Family.allCases) func `the first packet met sets the state`(family: Family) throws {
            let cases: [(TCPFlags, Int)] = [
                (.syn, CONNTRACK_SYN_SENT), (.synAck, CONNTRACK_SYN_RECEIVED), (.ack, CONNTRACK_PICKED_UP),
                (.finAck, CONNTRACK_PICKED_UP), (.rst, CONNTRACK_RESET),
            ]
            for (flags, state) in cases {
                try fixture.forgetFlows()
                try fixture.tcp(.client(family), .egress, flags)
                #expect(try fixture.state() == state)
            }
        }

        @Test(arguments: Family.allCases) func `a SYN+ACK without its SYN is judged as an answer`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(.egress))
            try fixture.tcp(.client(family), .ingress, .synAck).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
            let answer = try fixture.tcp(.client(family), .egress, .synAck)
            answer.expectPass(state: .reply)
            #expect(try fixture.onlyFlow()?.isOpenedByPeer == true)
        }

        /// An answer to nothing must not open the door for a SYN, the one packet that opens a connection.
        @Test(arguments: Family.allCases) func `a SYN after an unsolicited SYN+ACK is judged by itself`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(.egress))
            let out = Talk.client(family)
            try fixture.tcp(out, .egress, .synAck)
            try fixture.tcp(out, .egress, .syn).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
            try fixture.forgetFlows()
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            let into = Talk.server(family)
            try fixture.tcp(into, .ingress, .synAck)
            try fixture.tcp(into, .ingress, .syn).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
        }
    }
}
