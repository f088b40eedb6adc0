// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@Suite struct IPAddressTests {
    @Test(
        "prints the canonical text of RFC 5952",
        arguments: [
            ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("10.1.20.255", "10.1.20.255"),
            ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::A", "2001:db8::a"),
            ("2001:0db8:0:0:0:0:0:1", "2001:db8::1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("fe80::1:0:0:0", "fe80::1:0:0:0"), ("0:0:1::", "0:0:1::"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("::ffff:192.0.2.1", "192.0.2.1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
            ("::ffff:c000:201", "192.0.2.1"), ("fdbb:b::10", "fdbb:b::10"),
        ])
    func printsCanonicalText(input: String, expected: String) throws {
        let address = try IPAddress.parse(input)
        #expect(address.description == expected)
        #expect(try IPAddress.parse(expected) == address)
        var bytes: [UInt8] = []
        address.write(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test(
        "says why a text is not an address",
        arguments: [
            ("", "the address is empty"), ("web", "four decimal parts"), ("1.2.3", "four decimal parts"),
            ("1.2.3.4.5", "four decimal parts"), ("1.2.3.", "four decimal parts"), ("1..2.3", "four decimal parts"),
            ("01.2.3.4", "leading zero"), ("1.2.3.256", "greater than 255"), ("1.2.3.4 ", "four decimal parts"),
            (":1", "single colon"), ("1:", "single colon"), ("1::2::3", "only once"), ("1:::2", "only once"),
            ("12345::", "over four digits"), ("g::", "not hexadecimal"), ("fe80::1%eth0", "zone"),
            ("1:2:3:4:5:6:7", "eight groups"), ("1:2:3:4:5:6:7:8:9", "eight groups at most"),
            ("1:2:3:4::5:6:7:8", "one group at least"), ("::1.2.3", "four decimal parts"),
            ("1:2:3:4:5:6:7:1.2.3.4", "eight groups at most"), ("٣.1.1.1", "four decimal parts"),
        ])
    func saysWhy(input: String, reason: String) {
        let error = #expect(throws: AddressSyntaxError.self) { try IPAddress.parse(input) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "accepted")")
    }

    @Test(
        "keeps its value through sixteen bytes in network order", arguments: ["10.1.2.3", "2001:db8::1", "::", "::1"])
    func keepsValueThroughBytes(text: String) throws {
        let address = try IPAddress.parse(text)
        #expect(IPAddress(networkBytes: address.networkBytes) == address)
    }

    @Test("puts an IPv4 address behind the mapped prefix in network order")
    func mapsIPv4() throws {
        let bytes = try IPAddress.parse("10.1.2.3").networkBytes
        #expect([bytes.9, bytes.10, bytes.11, bytes.12, bytes.13, bytes.14, bytes.15] == [0, 255, 255, 10, 1, 2, 3])
    }

    @Test("reads four or sixteen bytes and nothing else")
    func readsByteCounts() throws {
        let four: [UInt8] = [192, 0, 2, 1]
        #expect(IPAddress(networkBytes: four.span)?.description == "192.0.2.1")
        let sixteen: [UInt8] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        #expect(IPAddress(networkBytes: sixteen.span)?.description == "2001:db8::1")
        let five: [UInt8] = [1, 2, 3, 4, 5]
        #expect(IPAddress(networkBytes: five.span) == nil)
    }

    @Test("every IPv4 address text survives a round trip")
    func roundTripsRandomAddresses() throws {
        var state: UInt64 = 1
        for _ in 0..<2000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let four = IPAddress(v4: UInt32(truncatingIfNeeded: state >> 32))
            #expect(try IPAddress.parse(four.description) == four)
            // Few bits set, so that runs of zeros of every length and place appear.
            let six = IPAddress(high: state & (state << 13) & (state >> 7), low: state & (state >> 11) & (state << 5))
            #expect(try IPAddress.parse(six.description) == six)
        }
    }
}

@Suite struct IPProtocolTests {
    @Test(
        "reads names in any letter case and numbers",
        arguments: [("tcp", 6), ("TCP", 6), ("Udp", 17), ("ICMPv6", 58), ("ipv6-icmp", 58), ("47", 47), ("SCTP", 132)])
    func reads(text: String, number: Int) {
        #expect(IPProtocol(text).map { Int($0.rawValue) } == number)
    }

    @Test("refuses unknown names and numbers above 255", arguments: ["", "tpc", "256", "-1"])
    func refuses(text: String) {
        #expect(IPProtocol(text) == nil)
    }

    @Test("what it prints it also reads")
    func roundTrips() {
        for number in UInt8.min...UInt8.max {
            let transport = IPProtocol(rawValue: number)
            #expect(IPProtocol(transport.description) == transport)
        }
    }
}
