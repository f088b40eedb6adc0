// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    /// What the host itself asks, and is answered, at its devices.
    @Suite struct NameHostTests {
        private let fixture: Fixture

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.setEndpoint(flags: ENDPOINT_HOST)
            try fixture.readNames(["api.example.org": 1]) {
                $0.allow(.egress, .ports(.tcp, 443), peer: Fixture.name(1), rule: 31)
            }
        }

        private func query(_ family: Family, from source: IPAddress? = nil, id: UInt16 = 7) -> Packet {
            Packet.ip(source ?? family.own, to: family.peer)
                .udp(Fixture.clientPort, 53, bytes: DNSMessage.query("api.example.org", id: id, type: 1).bytes)
        }

        private func answer(_ family: Family, from source: IPAddress? = nil, id: UInt16 = 7) -> Packet {
            let message = DNSMessage.answer("api.example.org", id: id, [family.outside(1)], ttl: 300).bytes
            return Packet.ip(source ?? family.peer, to: family.own).udp(53, Fixture.clientPort, bytes: message)
        }

        private func opens(_ family: Family) throws -> Bool {
            try fixture.forgetFlows()
            let packet = Packet.ip(family.own, to: family.outside(1)).tcp(41000, 443, .syn)
            return try fixture.send(packet, .toNetwork).passed
        }

        @Test(arguments: Family.allCases)
        func `an answer to the host's own question opens its addresses before the host sees it`(_ family: Family) throws
        {
            #expect(try !opens(family))
            try fixture.send(query(family), .toNetwork)
            let outcome = try fixture.send(answer(family), .fromNetwork)
            #expect(outcome.passed && outcome.count(METRIC_DNS_LEARNED) == 1)
            #expect(try opens(family))
        }

        @Test(arguments: Family.allCases)
        func `what nobody asked, what another resolver says and what is answered twice opens nothing`(
            _ family: Family
        ) throws {
            #expect(try fixture.send(answer(family), .fromNetwork).count(METRIC_DNS_ANSWER) == 0)
            try fixture.send(query(family), .toNetwork)
            try fixture.send(answer(family, from: family.stranger), .fromNetwork)
            try fixture.send(answer(family, id: 8), .fromNetwork)
            #expect(try !opens(family))
            try fixture.send(query(family), .toNetwork)
            #expect(try fixture.send(answer(family), .fromNetwork).count(METRIC_DNS_ANSWER) == 1)
            #expect(try fixture.send(answer(family), .fromNetwork).count(METRIC_DNS_ANSWER) == 0)
        }

        @Test(arguments: Family.allCases)
        func `a question that only passes through, also under the host's address, is not the host's`(
            _ family: Family
        ) throws {
            try fixture.send(query(family), .toNetwork, cameFrom: 7)
            try fixture.send(answer(family), .fromNetwork)
            #expect(try !opens(family))
            try fixture.send(query(family, from: family.stranger), .toNetwork)
            let answer = Packet.ip(family.peer, to: family.stranger).udp(
                53, Fixture.clientPort,
                bytes: DNSMessage.answer("api.example.org", id: 7, [family.outside(1)], ttl: 300).bytes)
            #expect(try fixture.send(answer, .fromNetwork).count(METRIC_DNS_UNASKED) == 0, "no forgery either")
            #expect(try fixture.send(self.answer(family, id: 9), .fromNetwork).count(METRIC_DNS_UNASKED) == 1)
            #expect(try !opens(family))
        }
    }
}
