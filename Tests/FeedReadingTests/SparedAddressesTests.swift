// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@testable import FeedReading

@Suite struct SparedAddressesTests {
    private func list(_ texts: [String]) throws -> [CIDR] { try texts.map { try #require(CIDR($0)) }.sorted() }

    private func addresses(_ texts: String...) throws -> [IPAddress] { try texts.map { try #require(IPAddress($0)) } }

    @Test func `a list is the same but for single addresses, in both families and at both ends of a prefix`() throws {
        let whole = try list(["10.0.0.0/8", "10.0.0.1/32", "192.0.2.7/32", "2001:db8::/32", "fd00::1/128"])
        let spared = try addresses("10.0.0.1", "10.255.255.255", "192.0.2.7", "2001:db8::53", "fd00::1", "203.0.113.1")
        #expect(whole.names(of: spared) == Array(spared.dropLast()).sorted())
        let rest = whole.sparing(spared)
        for address in spared { #expect(!rest.contains { $0.contains(address) }, "\(address)") }
        for address in try addresses(
            "10.0.0.0", "10.0.0.2", "10.128.0.0", "10.255.255.254", "2001:db8::52", "2001:db8::54",
            "2001:db8:8000::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
        {
            #expect(rest.count { $0.contains(address) } == 1, "\(address)")
        }
        #expect(!rest.contains { prefix in !whole.contains { $0.contains(prefix) } }, "nothing is added")
    }

    @Test func `all of the Internet without one address is 32 prefixes, or 128`() throws {
        #expect(try list(["0.0.0.0/0"]).sparing(try addresses("192.0.2.1")).count == 32)
        #expect(try list(["::/0"]).sparing(try addresses("2001:db8::1")).count == 128)
        let same = try list(["192.0.2.0/24"])
        #expect(same.sparing(try addresses("192.0.3.0", "2001:db8::1")) == same)
        #expect([CIDR]().sparing(try addresses("192.0.2.1")).isEmpty)
    }
}
