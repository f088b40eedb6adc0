// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    /// ICMP errors and the flows they are about.
    @Suite struct RelatedTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private func close(_ extra: TestPolicy = TestPolicy()) throws {
            try fixture.commit(extra.defaultDeny(.ingress).defaultDeny(.egress))
        }

        /// Errors about a flow that only the rules of `extra` allow.
        private func openOut(_ family: Family) throws -> Packet {
            try close(TestPolicy().allow(.egress, .ports(.udp, 53), rule: 20))
            let request = Packet.ip(family.own, to: family.peer).udp(40000, 53, payload: 32)
            try fixture.send(request).expectPass(rule: 20, state: .new)
            return request
        }

        @Test(arguments: Family.allCases) func `an error about what the endpoint sent reaches it, from any router`(
            family: Family
        ) throws {
            let request = try openOut(family)
            for router in [family.peer, family.world] {
                for type in [family.unreachable, family.timeExceeded] {
                    let error = Packet.ip(router, to: family.own).error(type, quoting: request)
                    let outcome = try fixture.send(error, .toEndpoint)
                    outcome.expectPass(rule: UInt32(RULE_RELATED), state: .related)
                    #expect(outcome.event?.peerIdentity == Fixture.peerIdentity, "the flow's peer, not the router")
                }
            }
            #expect(try fixture.flows().count == 1, "an error begins no flow")
        }

        @Test(arguments: Family.allCases) func `eight quoted bytes of a transport header suffice`(
            family: Family
        ) throws {
            try close(TestPolicy().allow(.egress, .all(.tcp), rule: 20).allow(.egress, .all(.sctp), rule: 21))
            let talk = Talk.client(family)
            for packet in [talk.tcp(.egress, .syn), talk.sctp(.egress, .initiate)] {
                try fixture.send(packet)
                let error = Packet.ip(family.world, to: family.own).error(
                    family.unreachable, quoting: packet, byteCount: family.headerLength + 8)
                try fixture.send(error, .toEndpoint).expectPass(rule: UInt32(RULE_RELATED), state: .related)
            }
        }

        @Test(arguments: Family.allCases) func `an error about an echo request passes`(family: Family) throws {
            try close(TestPolicy().allow(.egress, .icmp(family.icmp, family.echoRequest), rule: 20))
            let request = Packet.ip(family.own, to: family.peer).echoRequest(9)
            try fixture.send(request)
            let error = Packet.ip(family.world, to: family.own).error(family.unreachable, quoting: request)
            try fixture.send(error, .toEndpoint).expectPass(rule: UInt32(RULE_RELATED), state: .related)
        }

        @Test(arguments: Family.allCases) func `an error that the endpoint sends about what it received passes`(
            family: Family
        ) throws {
            try close(TestPolicy().allow(.ingress, .ports(.udp, 53), rule: 20))
            let request = Packet.ip(family.peer, to: family.own).udp(40000, 53)
            try fixture.send(request, .toEndpoint).expectPass(rule: 20, state: .new)
            let error = Packet.ip(family.own, to: family.peer).error(family.unreachable, code: 3, quoting: request)
            try fixture.send(error).expectPass(rule: UInt32(RULE_RELATED), state: .related)
        }

        /// Otherwise any flow would be a way to send anything to anybody.
        @Test(arguments: Family.allCases)
        func `an endpoint's error goes to the quoted sender only: DROP_ICMP_UNRELATED`(family: Family) throws {
            try close(TestPolicy().allow(.ingress, .ports(.udp, 53), rule: 20))
            let request = Packet.ip(family.peer, to: family.own).udp(40000, 53)
            try fixture.send(request, .toEndpoint)
            for other in [family.stranger, family.world] {
                let error = Packet.ip(family.own, to: other).error(family.unreachable, quoting: request)
                try fixture.send(error).expectDrop(DROP_ICMP_UNRELATED, rule: 60)
            }
        }

        @Test(arguments: Family.allCases) func `an endpoint's error comes from its own address: DROP_SOURCE_ADDRESS`(
            family: Family
        ) throws {
            let request = Packet.ip(family.peer, to: family.own).udp(40000, 53)
            try fixture.send(request, .toEndpoint)
            let error = Packet.ip(family.stranger, to: family.peer).error(family.unreachable, quoting: request)
            try fixture.send(error).expectDrop(DROP_SOURCE_ADDRESS)
        }

        @Test(arguments: Family.allCases) func `an error about no flow is judged as any packet: DROP_ICMP_UNRELATED`(
            family: Family
        ) throws {
            try close()
            let never = Packet.ip(family.own, to: family.peer).udp(1, 2)
            let error = Packet.ip(family.peer, to: family.own).error(family.unreachable, quoting: never)
            try fixture.send(error, .toEndpoint).expectDrop(DROP_ICMP_UNRELATED, rule: 60)
            // The wrong way round: nobody sent the endpoint this.
            let reversed = Packet.ip(family.own, to: family.peer).error(
                family.unreachable, quoting: Packet.ip(family.peer, to: family.own).udp(2, 1))
            try fixture.send(reversed).expectDrop(DROP_ICMP_UNRELATED, rule: 60)
            try close(TestPolicy().allow(.ingress, .icmp(family.icmp, family.unreachable), rule: 24))
            try fixture.send(error, .toEndpoint).expectPass(rule: 24, state: .new)
            try fixture.send(error, .toEndpoint).expectPass(rule: 24, state: nil)
        }

        @Test(arguments: Family.allCases) func `an error about another's packet is dropped: DROP_ICMP_UNRELATED`(
            family: Family
        ) throws {
            let request = Packet.ip(family.own, to: family.peer).udp(1, 2)
            try fixture.send(request)
            let error = Packet.ip(family.peer, to: family.ownSecond).error(family.unreachable, quoting: request)
            try fixture.send(error, .toEndpoint).expectDrop(DROP_ICMP_UNRELATED)
        }

        @Test(arguments: Family.allCases) func `an error about a flow that expired or was revoked is unrelated`(
            family: Family
        ) throws {
            let request = try openOut(family)
            let error = Packet.ip(family.world, to: family.own).error(family.unreachable, quoting: request)
            try fixture.age(byTicks: 61 * Fixture.ticksPerSecond)
            try fixture.send(error, .toEndpoint).expectDrop(DROP_ICMP_UNRELATED, rule: 60)
            try fixture.forgetFlows()
            try fixture.send(request)
            try close()
            // The policy has changed, and no packet of the flow has come since.
            try fixture.send(error, .toEndpoint).expectDrop(DROP_ICMP_UNRELATED, rule: 60)
            try fixture.send(request).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            try fixture.send(error, .toEndpoint).expectDrop(DROP_ICMP_UNRELATED, rule: 60)
        }

        @Test(arguments: Family.allCases) func `a broken quotation is dropped: DROP_ICMP_MALFORMED`(
            family: Family
        ) throws {
            let request = Packet.ip(family.own, to: family.peer).udp(40000, 53)
            try fixture.send(request)
            let from = Packet.ip(family.peer, to: family.own)
            for count in [0, 7, family.headerLength - 1, family.headerLength + 7] {
                let error = from.error(family.unreachable, quoting: request, byteCount: count)
                try fixture.send(error, .toEndpoint).expectDrop(DROP_ICMP_MALFORMED)
            }
            let version = from.error(family.unreachable, quoting: request.patch(0, [0x00]))
            try fixture.send(version, .toEndpoint).expectDrop(DROP_ICMP_MALFORMED)
        }

        @Test(arguments: Family.allCases) func `an error about an error is dropped: DROP_ICMP_MALFORMED`(
            family: Family
        ) throws {
            let request = Packet.ip(family.peer, to: family.own).udp(40000, 53)
            try fixture.send(request, .toEndpoint)
            let error = Packet.ip(family.own, to: family.peer).error(family.unreachable, quoting: request)
            let second = Packet.ip(family.peer, to: family.own).error(family.timeExceeded, quoting: error)
            try fixture.send(second, .toEndpoint).expectDrop(DROP_ICMP_MALFORMED)
        }

        @Test func `headers before the quoted transport are stepped over`() throws {
            let request = Packet.ip(Family.v6.own, to: Family.v6.peer).udp(40000, 53).extensionHeader(60)
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            try fixture.send(request)
            let error = Packet.ip(Family.v6.world, to: Family.v6.own).extensionHeader(0).error(1, quoting: request)
            try fixture.send(error, .toEndpoint).expectPass(rule: UInt32(RULE_RELATED), state: .related)
        }
    }
}
