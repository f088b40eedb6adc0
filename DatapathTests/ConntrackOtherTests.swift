// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    /// Flows without TCP's states, expiry, and a full table.
    @Suite struct ConntrackOtherTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        @Test(arguments: ConntrackTCPTests.openings) func `a UDP flow is unreplied until the other side speaks`(
            family: Family, opener: Direction
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(opener.opposite))
            let talk = Talk.client(family)
            try fixture.udp(talk, opener).expectPass(state: .new)
            #expect(try fixture.state() == CONNTRACK_UNREPLIED)
            try fixture.udp(talk, opener).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_UNREPLIED)
            try fixture.udp(talk, opener.opposite).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_REPLIED)
            let flow = try #require(try fixture.onlyFlow())
            #expect(flow.entry.packets.0 == 2 && flow.entry.packets.1 == 1)
            #expect(flow.entry.bytes.1 == UInt64(family.headerLength + 16))
        }

        @Test(arguments: Family.allCases) func `other protocols are tracked by addresses alone`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            let back = Packet.ip(family.peer, to: family.own).gre()
            try fixture.send(back, .toEndpoint).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(Packet.ip(family.own, to: family.peer).gre()).expectPass(state: .new)
            try fixture.send(back, .toEndpoint).expectPass(state: nil)
            #expect(try fixture.state() == CONNTRACK_REPLIED)
        }

        // MARK: - ICMP

        @Test(arguments: ConntrackTCPTests.openings) func `an echo reply passes for its identifier and asker only`(
            family: Family, opener: Direction
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(opener.opposite))
            let talk = Talk.client(family)
            let (there, back) = (Hook(opener), Hook(opener.opposite))
            try fixture.send(talk.echoRequest(opener), there).expectPass(state: .new)
            #expect(try fixture.state() == CONNTRACK_ICMP)
            try fixture.send(talk.echoReply(opener.opposite), back).expectPass(state: nil)
            let refused = Fixture.defaultDenyRule
            try fixture.send(talk.echoRequest(opener.opposite), back).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: refused)
            let otherID = try fixture.send(talk.echoReply(opener.opposite, id: 78), back)
            otherID.expectPass(state: .reply)
            #expect(otherID.event?.sourcePort == 78, "judged as what it answers, which may be asked")
        }

        @Test(arguments: ConntrackTCPTests.openings) func `a reply to a request that may not be asked is dropped`(
            family: Family, opener: Direction
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(opener))
            let talk = Talk.client(family)
            try fixture.send(talk.echoReply(opener.opposite), Hook(opener.opposite)).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
        }

        /// One type allowed must not open the way for another that happens to look alike in the flow's key.
        @Test(arguments: Family.allCases) func `an allowed echo opens the way for no other type`(
            family: Family
        ) throws {
            let policy = TestPolicy().defaultDeny(.ingress).defaultDeny(.egress)
                .allow(.ingress, .icmp(family.icmp, family.echoRequest), rule: 20)
            try fixture.commit(policy)
            let other = UInt16(family.otherICMP) << 8
            let talk = Talk.server(family)
            for id: UInt16 in [other, 5] {
                try fixture.send(talk.echoRequest(.ingress, id: id), .toEndpoint).expectPass(rule: 20, state: .new)
            }
            let into = Packet.ip(family.peer, to: family.own)
            try fixture.send(into.icmp(family.otherICMP), .toEndpoint).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
            if family == .v4 {
                try fixture.send(into.icmp(13, rest: 5 << 16), .toEndpoint).expectDrop(
                    DROP_POLICY_DEFAULT_DENY, rule: 60)
            }
            try fixture.send(Packet.ip(family.own, to: family.peer).icmp(family.otherICMP)).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        @Test(arguments: Family.allCases) func `ICMP that asks nothing goes one way`(family: Family) throws {
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            try fixture.send(Packet.ip(family.own, to: family.peer).icmp(family.otherICMP)).expectPass(state: .new)
            try fixture.send(Packet.ip(family.peer, to: family.own).icmp(family.otherICMP), .toEndpoint).expectDrop(
                DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        // MARK: - SCTP

        @Test(arguments: ConntrackTCPTests.openings) func `an SCTP flow is established by its answer and ended`(
            family: Family, opener: Direction
        ) throws {
            for ending in [SCTPChunk.abort, .shutdownComplete] {
                try fixture.forgetFlows()
                let talk = Talk.client(family)
                try fixture.sctp(talk, opener, .initiate).expectPass(state: .new)
                #expect(try fixture.state() == CONNTRACK_UNREPLIED)
                try fixture.sctp(talk, opener, .cookieEcho).expectPass(state: nil)
                #expect(try fixture.state() == CONNTRACK_UNREPLIED)
                try fixture.sctp(talk, opener.opposite, .initiateAck).expectPass(state: nil)
                #expect(try fixture.state() == CONNTRACK_SCTP_ESTABLISHED)
                try fixture.sctp(talk, opener, .data).expectPass(state: nil)
                try fixture.sctp(talk, opener.opposite, ending).expectPass(state: .closed)
                #expect(try fixture.state() == CONNTRACK_SCTP_CLOSED)
                try fixture.sctp(talk, opener, .data).expectPass(state: nil)
                #expect(try fixture.state() == CONNTRACK_SCTP_CLOSED)
                try fixture.sctp(talk, opener, .initiate).expectPass(state: .new)
                #expect(try fixture.state() == CONNTRACK_UNREPLIED, "the ports may be used again at once")
            }
        }

        @Test(arguments: Family.allCases) func `an SCTP INIT from the other side is judged as the other side's`(
            family: Family
        ) throws {
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            let talk = Talk.client(family)
            try fixture.sctp(talk, .egress, .initiate)
            try fixture.sctp(talk, .ingress, .initiateAck).expectPass(state: nil)
            try fixture.sctp(talk, .ingress, .initiate).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        // MARK: - Expiry and room

        /// Brings the only flow of a fresh table into a state by the packets that lead there.
        private func enter(_ state: Int, _ family: Family) throws {
            let talk = Talk.client(family)
            switch state {
            case CONNTRACK_SYN_SENT: try fixture.tcp(talk, .egress, .syn)
            case CONNTRACK_SYN_RECEIVED:
                try fixture.tcp(talk, .egress, .syn)
                try fixture.tcp(talk, .ingress, .synAck)
            case CONNTRACK_ESTABLISHED: try fixture.establish(talk, openedBy: .egress)
            case CONNTRACK_CLOSING:
                try fixture.establish(talk, openedBy: .egress)
                try fixture.tcp(talk, .egress, .finAck)
            case CONNTRACK_CLOSED:
                try fixture.establish(talk, openedBy: .egress)
                try fixture.tcp(talk, .egress, .finAck)
                try fixture.tcp(talk, .ingress, .finAck)
            case CONNTRACK_RESET:
                try fixture.establish(talk, openedBy: .egress)
                try fixture.tcp(talk, .egress, .rst)
            case CONNTRACK_PICKED_UP: try fixture.tcp(talk, .egress, .ack)
            case CONNTRACK_UNREPLIED: try fixture.udp(talk, .egress)
            case CONNTRACK_REPLIED:
                try fixture.udp(talk, .egress)
                try fixture.udp(talk, .ingress)
            case CONNTRACK_ICMP: try fixture.send(talk.echoRequest(.egress))
            case CONNTRACK_SCTP_ESTABLISHED:
                try fixture.sctp(talk, .egress, .initiate)
                try fixture.sctp(talk, .ingress, .initiateAck)
            default:
                try fixture.sctp(talk, .egress, .initiate)
                try fixture.sctp(talk, .ingress, .abort)
            }
            #expect(try fixture.state() == state)
        }

        private func repeatPacket(_ state: Int, _ family: Family) throws -> Outcome {
            let talk = Talk.client(family)
            switch state {
            case CONNTRACK_UNREPLIED, CONNTRACK_REPLIED: return try fixture.udp(talk, .egress)
            case CONNTRACK_ICMP: return try fixture.send(talk.echoRequest(.egress))
            case CONNTRACK_SCTP_ESTABLISHED, CONNTRACK_SCTP_CLOSED: return try fixture.sctp(talk, .egress, .data)
            default: return try fixture.tcp(talk, .egress, .ack)
            }
        }

        @Test(arguments: Family.allCases, 0..<Int(CONNTRACK_TIMEOUT_COUNT))
        func `each state expires by its own time-out, in the kernel`(family: Family, state: Int) throws {
            fixture.setTimeouts { $0 == state ? 1000 : 1_000_000 }
            try enter(state, family)
            // A tick may pass between the packets; fifty do not.
            try fixture.age(byTicks: 950)
            let alive = try repeatPacket(state, family)
            #expect(alive.count(METRIC_CONNTRACK_EXPIRED) == 0 && alive.events.isEmpty)
            try fixture.forgetFlows()
            try enter(state, family)
            try fixture.age(byTicks: 1001)
            let late = try repeatPacket(state, family)
            late.expectPass(state: .new)
            #expect(late.count(METRIC_CONNTRACK_EXPIRED) == 1 && late.count(METRIC_CONNTRACK_CREATED) == 1)
        }

        @Test(arguments: Family.allCases) func `traffic keeps a flow alive, but not a closed one`(
            family: Family
        ) throws {
            fixture.setTimeouts { _ in 1000 }
            let talk = Talk.client(family)
            try fixture.establish(talk, openedBy: .egress)
            for _ in 0..<3 {
                try fixture.age(byTicks: 600)
                try fixture.tcp(talk, .ingress, .ack).expectPass(state: nil)
            }
            for direction in Direction.allCases { try fixture.tcp(talk, direction, .finAck) }
            try fixture.age(byTicks: 600)
            try fixture.tcp(talk, .ingress, .ack).expectPass(state: nil)
            try fixture.age(byTicks: 600)
            let late = try fixture.tcp(talk, .ingress, .ack)
            #expect(late.count(METRIC_CONNTRACK_EXPIRED) == 1)
        }

        @Test(arguments: Family.allCases) func `a stamp a few ticks ahead of this CPU's clock is no great age`(
            family: Family
        ) throws {
            let talk = Talk.client(family)
            try fixture.establish(talk, openedBy: .egress)
            try fixture.age(byTicks: UInt32(bitPattern: -3))
            let outcome = try fixture.tcp(talk, .egress, .ack)
            outcome.expectPass(state: nil)
            #expect(outcome.count(METRIC_CONNTRACK_EXPIRED) == 0)
        }

        @Test(arguments: Family.allCases) func `a full table refuses new flows and says so: DROP_CONNTRACK_FULL`(
            family: Family
        ) throws {
            let packet = { (port: UInt16) in Packet.ip(family.own, to: family.peer).udp(port, 53) }
            try fixture.udp(.client(family), .egress)
            // Each CPU keeps a few spare elements beyond the table's size.
            var port: UInt16 = 1
            while try fixture.run(packet(port).bytes, .fromEndpoint) != 2, port < 4096 { port += 1 }
            fixture.forgetCounters()
            let refused = try fixture.send(packet(5000))
            refused.expectDrop(DROP_CONNTRACK_FULL)
            #expect(refused.count(METRIC_CONNTRACK_FULL) == 1 && refused.count(METRIC_CONNTRACK_CREATED) == 0)
            try fixture.udp(.client(family), .egress).expectPass(state: nil)
            try fixture.udp(.client(family), .ingress).expectPass(state: nil)
            try fixture.forgetFlows()
            try fixture.send(packet(5000)).expectPass(state: .new)
        }

        @Test(arguments: Family.allCases) func `the host is never cut off by a full table`(family: Family) throws {
            try fixture.setEndpoint(flags: ENDPOINT_HOST)
            let packet = { (port: UInt16) in Packet.ip(family.own, to: family.peer).udp(port, 53) }
            for port: UInt16 in 1...1200 { _ = try fixture.run(packet(port).bytes, .toNetwork) }
            fixture.forgetCounters()
            let outcome = try fixture.send(packet(5000), .toNetwork)
            outcome.expectPass(state: .new)
            #expect(outcome.count(METRIC_CONNTRACK_FULL) == 1)
        }
    }
}
