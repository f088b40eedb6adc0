// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathTests {
    /// What a change of policy does to flows that exist, and what a switch of banks does to packets.
    @Suite struct EpochTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private func talk(_ family: Family, _ opener: Direction) -> Talk {
            opener == .egress ? .client(family) : .server(family)
        }

        @Test(arguments: ConntrackTCPTests.openings)
        func `a revoked TCP flow is cut at once in both directions and stays cut`(
            family: Family, opener: Direction
        ) throws {
            let talk = talk(family, opener)
            try fixture.establish(talk, openedBy: opener)
            try fixture.commit(TestPolicy().deny(opener, .everything, rule: 21))
            let first = try fixture.tcp(talk, opener.opposite, .ack)
            first.expectDrop(DROP_POLICY_DENY, rule: 21)
            #expect(first.count(METRIC_REEVALUATED) == 1 && first.count(METRIC_REVOKED) == 1)
            #expect(try fixture.onlyFlow()?.isDenied == true)
            // The other side's direction is open: no packet of it may bring the flow back.
            for flags in [TCPFlags.ack, .synAck, .finAck, .rst, [.ack, .psh]] {
                for direction in Direction.allCases {
                    let again = try fixture.tcp(talk, direction, flags)
                    again.expectDrop(DROP_POLICY_DENY, rule: 21)
                    #expect(again.count(METRIC_REEVALUATED) == 0 && again.count(METRIC_REVOKED) == 0)
                }
            }
            try fixture.tcp(talk, opener, .syn).expectDrop(DROP_POLICY_DENY, rule: 21)
            #expect(try fixture.onlyFlow()?.isDenied == true)
        }

        @Test(arguments: ConntrackTCPTests.openings)
        func `a revoked UDP flow is cut at once in both directions and stays cut`(
            family: Family, opener: Direction
        ) throws {
            fixture.setTimeouts { _ in 1000 }
            let talk = talk(family, opener)
            try fixture.udp(talk, opener)
            try fixture.udp(talk, opener.opposite)
            try fixture.commit(TestPolicy().defaultDeny(opener))
            try fixture.udp(talk, opener.opposite).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.udp(talk, opener).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            // While anybody still sends, the memory of the revocation does not fade.
            for _ in 0..<4 {
                try fixture.age(byTicks: 700)
                try fixture.udp(talk, opener.opposite).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            }
        }

        @Test(arguments: ConntrackTCPTests.openings) func `a flow that is allowed again goes on`(
            family: Family, opener: Direction
        ) throws {
            let talk = talk(family, opener)
            try fixture.establish(talk, openedBy: opener)
            try fixture.commit(TestPolicy().defaultDeny(opener))
            try fixture.tcp(talk, opener, .ack).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.commit(TestPolicy().defaultDeny(opener).allow(opener, .all(.tcp), rule: 22))
            let again = try fixture.tcp(talk, opener.opposite, .ack)
            again.expectPass(rule: 22, state: nil)
            #expect(again.count(METRIC_REEVALUATED) == 1 && again.count(METRIC_REVOKED) == 0)
            let flow = try #require(try fixture.onlyFlow())
            #expect(!flow.isDenied && flow.state == CONNTRACK_ESTABLISHED && flow.entry.rule == 22)
        }

        @Test(arguments: Family.allCases) func `a SYN on a revoked flow is judged by the policy of now`(
            family: Family
        ) throws {
            let talk = Talk.client(family)
            try fixture.establish(talk, openedBy: .egress)
            try fixture.commit(TestPolicy().deny(.egress, .everything, rule: 21))
            try fixture.tcp(talk, .egress, .ack).expectDrop(DROP_POLICY_DENY, rule: 21)
            // In the other direction a new connection is allowed; it is another one.
            try fixture.tcp(talk, .ingress, .syn).expectPass(state: .new)
            #expect(try fixture.onlyFlow()?.isOpenedByPeer == true)
        }

        @Test(arguments: Family.allCases) func `an unchanged verdict costs one new judgement and no event`(
            family: Family
        ) throws {
            let talk = Talk.server(family)
            try fixture.establish(talk, openedBy: .ingress)
            try fixture.commit(TestPolicy().allow(.ingress, .ports(.tcp, 80), rule: 23))
            let first = try fixture.tcp(talk, .ingress, .ack)
            first.expectPass(rule: 23, state: nil)
            #expect(first.count(METRIC_REEVALUATED) == 1)
            let second = try fixture.tcp(talk, .ingress, .ack)
            second.expectPass(rule: 23, state: nil)
            #expect(second.count(METRIC_REEVALUATED) == 0)
        }

        @Test(arguments: Family.allCases) func `a flow is judged again by the port and type that opened it`(
            family: Family
        ) throws {
            try fixture.udp(.server(family, port: 53), .ingress)
            let echo = Talk.server(family)
            try fixture.send(echo.echoReply(.egress))
            let policy = TestPolicy().defaultDeny(.ingress).allow(.ingress, .ports(.udp, 53), rule: 20)
                .allow(.ingress, .icmp(family.icmp, family.echoRequest), rule: 21)
            try fixture.commit(policy)
            try fixture.udp(.server(family, port: 53), .egress).expectPass(rule: 20, state: nil)
            try fixture.send(echo.echoReply(.egress)).expectPass(rule: 21, state: nil)
        }

        @Test(arguments: Family.allCases) func `a flow whose address is taken from the endpoint is cut`(
            family: Family
        ) throws {
            let talk = Talk.server(family)
            try fixture.establish(talk, openedBy: .ingress)
            try fixture.removeAddress(family.own)
            try fixture.commit(TestPolicy())
            try fixture.tcp(talk, .egress, .ack).expectDrop(DROP_SOURCE_ADDRESS)
            try fixture.tcp(talk, .ingress, .ack).expectDrop(DROP_SOURCE_ADDRESS)
        }

        @Test(arguments: Family.allCases) func `a peer's new identity decides anew`(family: Family) throws {
            let policy = TestPolicy().defaultDeny(.ingress)
                .allow(.ingress, .everything, peer: Fixture.peerIdentity, rule: 20)
            try fixture.commit(policy)
            let talk = Talk.server(family)
            try fixture.establish(talk, openedBy: .ingress)
            var state = policy.mapState
            state.ipcache = Fixture.mappings
            state.ipcache[CIDR(host: family.peer)] = Fixture.strangerIdentity
            try fixture.commit(state)
            let dropped = try fixture.tcp(talk, .ingress, .ack)
            dropped.expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            #expect(dropped.event?.peerIdentity == Fixture.strangerIdentity)
        }

        @Test(arguments: Family.allCases) func `an endpoint that moves to another subject is judged by that one`(
            family: Family
        ) throws {
            var state = TestPolicy().mapState
            let closed = TestPolicy(subject: Fixture.subject + 1).defaultDeny(.ingress).mapState
            state.subjects.merge(closed.subjects) { $1 }
            try fixture.commit(state)
            let talk = Talk.server(family)
            try fixture.establish(talk, openedBy: .ingress)
            try fixture.setEndpoint(subject: Fixture.subject + 1)
            try fixture.tcp(talk, .egress, .ack).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.setEndpoint()
            try fixture.tcp(talk, .egress, .ack).expectPass(state: nil)
        }

        // MARK: - Banks

        @Test(arguments: Family.allCases) func `what is written to the inactive bank is not seen before the switch`(
            family: Family
        ) throws {
            fixture.setReportInterval(ticks: 0)
            try fixture.commit(TestPolicy().allow(.ingress, .everything, rule: 20), generation: 100)
            let talk = Talk.server(family)
            try fixture.establish(talk, openedBy: .ingress)
            var state = TestPolicy().deny(.ingress, .everything, rule: 21).mapState
            state.ipcache = [CIDR(host: family.peer): Fixture.strangerIdentity]
            _ = try fixture.stage(state, generation: 101)
            let before = try fixture.tcp(talk, .ingress, .ack)
            before.expectPass(rule: 20, state: .established)
            #expect(before.event?.generation == 100 && before.event?.peerIdentity == Fixture.peerIdentity)
            let new = try fixture.udp(.server(family, port: 53), .ingress)
            new.expectPass(rule: 20, state: .new)
            #expect(new.event?.generation == 100)
            fixture.switchBank()
            let after = try fixture.tcp(talk, .ingress, .ack)
            after.expectDrop(DROP_POLICY_DENY, rule: 21)
            #expect(after.event?.generation == 101 && after.event?.peerIdentity == Fixture.strangerIdentity)
            fixture.switchBank()
            let back = try fixture.tcp(talk, .ingress, .ack)
            back.expectPass(rule: 20, state: .established)
            #expect(back.event?.generation == 100)
        }

        @Test(arguments: Family.allCases) func `hundreds of switches under traffic never mix two generations`(
            family: Family
        ) throws {
            fixture.setReportInterval(ticks: 0)
            let talk = Talk.server(family)
            for generation: UInt32 in 200..<260 {
                let isOpen = generation % 2 == 0
                let rule = 20 + generation % 8
                let policy =
                    isOpen
                    ? TestPolicy().allow(.ingress, .everything, rule: rule)
                    : TestPolicy().deny(.ingress, .everything, rule: rule)
                try fixture.commit(policy, generation: generation)
                for flags in [TCPFlags.ack, .syn, [.ack, .psh]] {
                    let outcome = try fixture.tcp(talk, .ingress, flags)
                    #expect(outcome.passed == isOpen)
                    #expect(outcome.events.allSatisfy { $0.generation == generation && $0.rule == rule })
                }
            }
        }

        @Test(arguments: Family.allCases) func `each bank has its own number of buckets`(family: Family) throws {
            let entries = TestPolicy().defaultDeny(.ingress).allow(.ingress, .ports(.udp, 53), rule: 20)
            _ = try fixture.stage(entries.mapState)
            // The active bank's mask must not be used for the other one.
            if fixture.config.active_bank == 0 {
                fixture.config.policy_bucket_mask.0 = ~0
            } else {
                fixture.config.policy_bucket_mask.1 = ~0
            }
            fixture.switchBank()
            try fixture.udp(.server(family, port: 53), .ingress).expectPass(rule: 20, state: .new)
        }
    }
}
