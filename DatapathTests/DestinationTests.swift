// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    /// Nobody receives, and then answers, for another.
    @Suite struct DestinationTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        /// As a bridge floods it.
        private func broadcast(_ packet: Packet) throws -> Outcome {
            let bytes = [UInt8](repeating: 0xff, count: 6) + packet.bytes.dropFirst(6)
            return try fixture.send(bytes: bytes, length: packet.ipLength, .toEndpoint)
        }

        @Test(arguments: Family.allCases)
        func `what is for another is dropped and cannot be answered: DROP_DESTINATION_ADDRESS`(family: Family) throws {
            let stolen = Packet.ip(family.peer, to: family.stranger)
            let answer = Packet.ip(family.stranger, to: family.peer)
            let pairs = [
                (stolen.udp(1000, 53), answer.udp(53, 1000)),
                (stolen.tcp(1000, 80, .syn), answer.tcp(80, 1000, .synAck)),
                (stolen.tcp(1000, 80, .ack), answer.tcp(80, 1000, .ack)), (stolen.gre(), answer.gre()),
                (stolen.echoRequest(5), answer.echoReply(5)),
            ]
            for (packet, reply) in pairs {
                let outcome = try fixture.send(packet, .toEndpoint)
                outcome.expectDrop(DROP_DESTINATION_ADDRESS)
                #expect(outcome.event?.destination == family.stranger)
                try fixture.send(reply).expectDrop(DROP_SOURCE_ADDRESS)
            }
            #expect(try fixture.flows().isEmpty)
            try fixture.send(Packet.ip(family.peer, to: family.ownSecond).udp(1, 2), .toEndpoint).expectPass(
                state: .new)
        }

        @Test(arguments: Family.allCases) func `an endpoint that forwards for others receives for them`(
            family: Family
        ) throws {
            try fixture.setEndpoint(flags: ENDPOINT_NO_SOURCE_CHECK)
            try fixture.send(Packet.ip(family.peer, to: family.stranger).udp(1, 2), .toEndpoint).expectPass(state: .new)
            try fixture.send(Packet.ip(family.stranger, to: family.peer).udp(2, 1)).expectPass(state: nil)
        }

        @Test(arguments: Family.allCases) func `packets to a group are judged, tracked and never answered`(
            family: Family
        ) throws {
            let policy = TestPolicy().defaultDeny(.ingress).allow(.ingress, .ports(.udp, 53), rule: 20)
            try fixture.commit(policy)
            let to = Packet.ip(family.peer, to: family.allNodes)
            try fixture.send(to.udp(1000, 53), .toEndpoint).expectPass(rule: 20, state: .new)
            try fixture.send(to.udp(1000, 53), .toEndpoint).expectPass(rule: 20, state: nil)
            #expect(try fixture.onlyFlow()?.entry.packets.0 == 2)
            try fixture.send(to.udp(1000, 54), .toEndpoint).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
            let answer = Packet.ip(family.allNodes, to: family.peer).udp(53, 1000)
            try fixture.send(answer).expectDrop(DROP_SOURCE_ADDRESS)
            try fixture.commit(TestPolicy().defaultDeny(.ingress))
            try fixture.send(to.udp(1000, 53), .toEndpoint).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: 60)
        }

        /// A frame to all may carry any address: a subnet's broadcast address is known by its frame alone.
        @Test(arguments: Family.allCases) func `a frame to all opens no way back either`(family: Family) throws {
            try broadcast(Packet.ip(family.peer, to: family.stranger).udp(1000, 53)).expectPass(state: .new)
            try fixture.send(Packet.ip(family.stranger, to: family.peer).udp(53, 1000)).expectDrop(DROP_SOURCE_ADDRESS)
            try broadcast(Packet.ip(family.peer, to: family.own).udp(1000, 53)).expectPass(state: .new)
            try fixture.send(Packet.ip(family.own, to: family.peer).udp(53, 1000)).expectPass(state: nil)
        }

        @Test func `a DHCP offer reaches the address that it offers and is not answered`() throws {
            let four = Family.v4
            let offer = Packet.ip(four.peer, to: four.stranger).udp(67, 68)
            try fixture.send(offer, .toEndpoint).expectPass(state: .new)
            try fixture.send(Packet.ip(four.stranger, to: four.peer).udp(68, 67)).expectDrop(DROP_SOURCE_ADDRESS)
            try fixture.send(Packet.ip(four.peer, to: four.stranger).udp(67, 69), .toEndpoint)
                .expectDrop(DROP_DESTINATION_ADDRESS)
            let six = Packet.ip(.linkLocal(1), to: .linkLocal(7))
            try fixture.send(six.udp(547, 546), .toEndpoint).expectPass(state: .new)
            try fixture.send(six.udp(547, 53), .toEndpoint).expectDrop(DROP_DESTINATION_ADDRESS)
        }
    }
}
