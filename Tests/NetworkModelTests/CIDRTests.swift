// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@Suite struct CIDRTests {
    @Test(
        "reads and prints prefixes of both families",
        arguments: [
            "0.0.0.0/0", "10.0.0.0/8", "192.0.2.1/32", "::/0", "2001:db8::/32", "::1/128", "2001:db8:8000::/33",
        ])
    func readsAndPrints(text: String) throws {
        #expect(try CIDR.parse(text).description == text)
    }

    @Test(
        "says why a text is not a prefix",
        arguments: [
            ("10.0.0.0", "the prefix length is missing"), ("10.0.0.0/33", "prefix length 33 is greater than 32"),
            ("::/129", "prefix length 129 is greater than 128"), ("10.0.0.0/", "not a number"),
            ("10.0.0.0/x", "not a number"), ("10.0.0.0/08", "leading zero"), ("10.0.0.0/8/8", "not a number"),
            ("10.0.0.1/8", "the network is 10.0.0.0/8"), ("2001:db8::1/64", "the network is 2001:db8::/64"),
            ("10.0.0/8", "four decimal parts"), ("::ffff:10.0.0.0/104", "IPv4-mapped"), ("/8", "empty"),
            ("10.0.0.0/-1", "not a number"), ("10.0.0.0/255.0.0.0", "not a number"),
        ])
    func saysWhy(input: String, reason: String) {
        let error = #expect(throws: AddressSyntaxError.self) { try CIDR.parse(input) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "accepted")")
    }

    @Test("clears host bits when asked to be lenient, and says that there were some")
    func clearsHostBits() throws {
        let (prefix, hasHostBits) = try CIDR.parseLenient("10.1.2.3/16")
        #expect(prefix.description == "10.1.0.0/16")
        #expect(hasHostBits)
        #expect(try CIDR.parseLenient("10.1.0.0/16").hasHostBits == false)
    }

    @Test(
        "contains addresses and prefixes of its own family only",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1/32", true), ("10.0.0.0/8", "11.0.0.0/8", false),
            ("10.0.0.0/8", "10.0.0.0/7", false), ("0.0.0.0/0", "::/0", false), ("::/0", "10.0.0.0/8", false),
            ("::/0", "2001:db8::/32", true), ("10.0.0.0/8", "10.0.0.0/8", true),
            ("2001:db8::/33", "2001:db8:8000::/33", false), ("2001:db8::/63", "2001:db8:0:1::5/128", true),
            ("2001:db8::/65", "2001:db8::8000:0:0:0/128", false),
        ])
    func contains(outer: String, inner: String, expected: Bool) throws {
        let (outer, inner) = (try CIDR.parse(outer), try CIDR.parse(inner))
        #expect(outer.contains(inner) == expected)
        #expect(outer.contains(inner.address) == expected || inner.length < outer.length)
    }

    @Test(
        "subtracts exceptions and keeps the fewest prefixes",
        arguments: [
            ("10.0.0.0/8", ["10.128.0.0/9"], ["10.0.0.0/9"]),
            ("10.0.0.0/30", ["10.0.0.1/32"], ["10.0.0.0/32", "10.0.0.2/31"]),
            ("10.0.0.0/30", ["10.0.0.0/32", "10.0.0.3/32"], ["10.0.0.1/32", "10.0.0.2/32"]),
            ("10.0.0.0/8", ["10.0.0.0/8"], []), ("10.0.0.0/8", ["0.0.0.0/0"], []),
            ("10.0.0.0/8", ["192.168.0.0/16"], ["10.0.0.0/8"]), ("10.0.0.0/8", ["::/0"], ["10.0.0.0/8"]),
            ("10.0.0.0/8", [], ["10.0.0.0/8"]),
            ("2001:db8::/126", ["2001:db8::2/128"], ["2001:db8::/127", "2001:db8::3/128"]),
            ("::/63", ["0:0:0:1::/64"], ["::/64"]),
        ])
    func subtracts(prefix: String, exceptions: [String], expected: [String]) throws {
        let result = try CIDR.parse(prefix).subtracting(exceptions.map { try CIDR.parse($0) })
        #expect(result.map(\.description) == expected)
    }

    @Test("a subtraction holds exactly the addresses of the prefix outside the exceptions")
    func subtractsExactly() throws {
        let prefix = try CIDR.parse("10.0.0.0/24")
        let exceptions = try ["10.0.0.4/30", "10.0.0.77/32", "10.0.0.128/26", "10.0.0.140/32"].map {
            try CIDR.parse($0)
        }
        let rest = prefix.subtracting(exceptions)
        for last in UInt32(0)...255 {
            let address = IPAddress(v4: 0x0a00_0000 | last)
            let isExcepted = exceptions.contains { $0.contains(address) }
            #expect(rest.filter { $0.contains(address) }.count == (isExcepted ? 0 : 1))
        }
    }
}
