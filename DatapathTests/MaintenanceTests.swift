// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import EventModel
import NetworkModel
import Testing

extension DatapathTests {
    /// What passes without policy carries nothing else: DROP_LINK_PAYLOAD.
    @Suite struct MaintenanceTests {
        private let fixture: Fixture
        private let six = Family.v6
        private let words = [UInt8](repeating: 7, count: 200)

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.commit(TestPolicy().defaultDeny(.egress).defaultDeny(.ingress))
        }

        private func group(_ last: UInt64) -> IPAddress { IPAddress(high: 0xff02_0000_0000_0000, low: last) }

        private func expectPass(_ packet: Packet, sourceLocation: SourceLocation = #_sourceLocation) throws {
            try fixture.send(packet).expectPass(
                rule: UInt32(RULE_NEIGHBOR_DISCOVERY), state: nil, sourceLocation: sourceLocation)
        }

        private func expectDrop(_ packet: Packet, sourceLocation: SourceLocation = #_sourceLocation) throws {
            try fixture.send(packet).expectDrop(DROP_LINK_PAYLOAD, sourceLocation: sourceLocation)
        }

        @Test func `ARP may be filled up to 60 bytes and no more`() throws {
            let packet = Packet.arp(1, sender: Family.v4.own, target: Family.v4.peer)
            for tagged in [packet, packet.vlan(3)] {
                #expect(try fixture.send(tagged.padded(18)).passed)
                let longer = tagged.padded(19)
                try fixture.send(bytes: longer.bytes, length: longer.bytes.count, .fromEndpoint).expectDrop(
                    DROP_LINK_PAYLOAD)
            }
            try fixture.setEndpoint(flags: ENDPOINT_NO_SOURCE_CHECK)
            #expect(try fixture.send(packet.padded(100)).passed)
        }

        /// A link-layer address as an option of this type; a nonce is 14.
        private func option(_ type: UInt8, length: UInt8 = 1) -> [UInt8] { [type, length, 2, 0, 0, 0, 0, 1] }

        @Test func `neighbour discovery carries the options that hosts send`() throws {
            let peer = IPAddress.linkLocal(9)
            let ask = { (rest: [UInt8]) in
                Packet.ip(six.own, to: peer).icmp(135, body: peer.headerBytes + rest).hopLimit(255)
            }
            for rest in [[], option(1), option(14), option(1) + option(14)] { try expectPass(ask(rest)) }
            let odd = [
                words, option(1) + [0], option(2), option(1, length: 2) + option(1), option(9),
                option(1) + option(14) + option(1), option(1) + option(3),
            ]
            for rest in odd { try expectDrop(ask(rest)) }
            let tell = { (rest: [UInt8]) in
                Packet.ip(.linkLocal(2), to: peer).icmp(136, body: six.own.headerBytes + rest).hopLimit(255)
            }
            try expectPass(tell(option(2)))
            for rest in [option(1), Array(words.prefix(24))] { try expectDrop(tell(rest)) }
            let seek = { (rest: [UInt8]) in Packet.ip(.linkLocal(2), to: group(2)).icmp(133, body: rest).hopLimit(255) }
            for rest in [[], option(1)] { try expectPass(seek(rest)) }
            for rest in [words, option(2), [1]] { try expectDrop(seek(rest)) }
        }

        @Test func `neighbour discovery goes where it belongs and comes alone`() throws {
            let peer = six.peer.headerBytes
            let solicitation = { (to: IPAddress) in Packet.ip(six.own, to: to).icmp(135, body: peer).hopLimit(255) }
            try expectPass(solicitation(group(0x1_ff00_0003)))
            for to in [group(0x1_ff00_0004), group(1), .linkLocal(9)] { try expectDrop(solicitation(to)) }
            let base = Packet.ip(six.own, to: six.peer)
            try expectDrop(base.icmp(135, rest: 1, body: peer).hopLimit(255))
            try expectDrop(base.icmp(135, code: 1, body: peer).hopLimit(255))
            try expectDrop(base.extensionHeader(60).icmp(135, body: peer).hopLimit(255))
            try expectDrop(base.atomicFragmentHeader().icmp(135, body: peer).hopLimit(255))
            try expectDrop(solicitation(six.peer).padded(100))
            try expectDrop(Packet.ip(.linkLocal(2), to: .linkLocal(9)).icmp(133).hopLimit(255))
            try expectDrop(Packet.ip(six.own, to: group(5)).icmp(136, body: six.own.headerBytes).hopLimit(255))
            try expectDrop(base.icmp(136, rest: 1, body: six.own.headerBytes).hopLimit(255))
            try expectPass(base.icmp(136, rest: 0xe000_0000, body: six.own.headerBytes).hopLimit(255))
        }

        @Test func `reports of IPv6 groups have their length and destination`() throws {
            let report = { (to: IPAddress, type: UInt8, rest: UInt32, body: [UInt8]) in
                Packet.ip(six.own, to: to).extensionHeader(0).icmp(type, rest: rest, body: body).hopLimit(1)
            }
            let record = [UInt8]([4, 0, 0, 0]) + group(0xfb).headerBytes
            try expectPass(report(group(0x16), 143, 1, record))
            try expectPass(report(group(0x16), 143, 8, [[UInt8]](repeating: record, count: 8).flatMap { $0 }))
            try expectPass(report(group(2), 132, 0, group(0xfb).headerBytes))
            let odd = [
                report(group(0x16), 143, 1, record + [1]), report(group(0x16), 143, 1, words),
                report(group(0x16), 143, 9, [[UInt8]](repeating: record, count: 9).flatMap { $0 }),
                report(group(0x17), 143, 1, record), report(group(0x16), 143, 0, []),
                report(group(0xfc), 131, 0, group(0xfb).headerBytes), report(group(0xfb), 131, 0, words),
                report(group(1), 132, 0, group(0xfb).headerBytes), report(group(1), 130, 0, group(0xfb).headerBytes),
            ]
            for packet in odd { try expectDrop(packet) }
        }

        @Test func `reports of IPv4 groups have their length and destination`() throws {
            let four = Family.v4
            let to = { (last: UInt32) in IPAddress(v4: 0xe000_0000 | last) }
            let report = { (last: UInt32, bytes: [UInt8]) in
                Packet.ip(four.own, to: to(last)).transport(2, bytes, checksum: .plain(2)).hopLimit(1)
            }
            let name = to(0xfb).headerBytes
            let record = [UInt8]([4, 0, 0, 0]) + name
            try expectPass(report(0xfb, [0x12, 0, 0, 0] + name))
            try expectPass(report(2, [0x17, 0, 0, 0] + name))
            try expectPass(report(0x16, [0x22, 0, 0, 0, 0, 0, 0, 1] + record).options([0x94, 4, 0, 0]))
            let odd = [
                report(5, [0x16, 0, 0, 0] + name), report(0xfb, [0x16, 0, 0, 0] + name + words),
                report(0x16, [0x22, 0, 0, 0, 0, 0, 0, 1] + record + words), report(1, [0x11, 0, 0, 0] + name),
                report(0x16, [0x22, 0, 0, 0, 0, 0, 0, 1] + record).options([UInt8](repeating: 1, count: 40)),
                report(0xfb, [0x22, 0, 0, 0, 0, 0, 0, 1] + record), report(0xfb, [1, 2, 3, 4]),
            ]
            for packet in odd { try expectDrop(packet) }
        }
    }
}
