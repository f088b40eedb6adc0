// SPDX-License-Identifier: Apache-2.0
import NetworkModel
import Testing

// The builder is what every other test stands on.
@Suite struct PacketTests {
    @Test func `an IPv4 packet has the lengths and checksums of the standard`() {
        let bytes = Packet.ip(IPAddress(v4: 0x0a00_0001), to: IPAddress(v4: 0x0a00_0002)).udp(53, 53, payload: 3).bytes
        #expect(Array(bytes[12..<20]) == [8, 0, 0x45, 0, 0, 31, 0, 1])
        #expect(internetChecksum(Array(bytes[14..<34])) == 0, "a checksummed header sums to zero")
        let pseudo = Array(bytes[26..<34]) + [0, 17, 0, 11]
        #expect(internetChecksum(pseudo + Array(bytes[34...])) == 0)
        #expect(bytes.count == 14 + 31)
    }

    @Test func `extension headers point to each other and to the transport`() {
        let family = Family.v6
        let packet = Packet.ip(family.own, to: family.peer).tcp(1, 2, .syn).extensionHeader(0)
            .extensionHeader(51, byteCount: 16).fragment(0..<20, id: 9)
        let bytes = packet.networkBytes
        #expect(bytes[6] == 0 && bytes[40] == 51 && bytes[48] == 44 && bytes[64] == 6)
        #expect(Array(bytes[4..<6]) == UInt16(8 + 16 + 8 + 20).networkOrder)
        #expect(bytes[49] == 2, "the authentication header counts in words, less two")
        #expect(Array(bytes[66..<68]) == [0, 1], "offset 0, more to come")
        #expect(bytes.count == packet.ipLength)
    }

    @Test func `the SCTP checksum is that of the standard's example polynomial`() {
        #expect(sctpChecksum(Array("123456789".utf8)) == [0x83, 0x92, 0x06, 0xe3])
    }

    @Test func `fragments together hold every transport byte once`() {
        let whole = Packet.ip(Family.v4.own, to: Family.v4.peer).udp(1, 2, payload: 40)
        let first = whole.fragment(0..<24).networkBytes
        let second = whole.fragment(24..<48, last: true).networkBytes
        #expect(Array(first[20...]) + Array(second[20...]) == whole.transportBytes)
        #expect(Array(first[6..<8]) == [0x20, 0] && Array(second[6..<8]) == [0, 3])
    }

    @Test func `tags nest from the outside in`() {
        let bytes = Packet.ip(Family.v4.own, to: Family.v4.peer).udp(1, 2).vlan(20).vlan(10, type: 0x88a8).bytes
        #expect(Array(bytes[12..<22]) == [0x88, 0xa8, 0, 10, 0x81, 0, 0, 20, 8, 0])
    }
}
