// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@testable import FeedReading

@Suite struct FeedReaderTests {
    private func read(_ text: String, wide: Bool = false) -> FeedContent {
        FeedReader(file: "f", allowsWidePrefixes: wide).read(Array(text.utf8))
    }

    private func prefixes(_ text: String) -> [String] { read(text).prefixes.map(\.description) }

    @Test func `addresses and prefixes of both families are read, one a line`() {
        let text = "192.0.2.1\n198.51.100.0/24\r\n2001:db8::1\n  2001:db8:1::/48\t\n\n203.0.113.7"
        #expect(
            prefixes(text) == [
                "192.0.2.1/32", "198.51.100.0/24", "2001:db8::1/128", "2001:db8:1::/48", "203.0.113.7/32",
            ])
        #expect(read(text).faultCount == 0)
    }

    @Test(arguments: ["#", ";", "//"]) func `comments fill a line or follow an entry`(mark: String) {
        let text = "\(mark) head\n192.0.2.0/24 \(mark) SBL1\n192.0.3.0/24\(mark)tight\n"
        #expect(prefixes(text) == ["192.0.2.0/24", "192.0.3.0/24"])
        #expect(read(text).faultCount == 0)
    }

    @Test func `the commands of ipset save are entries`() {
        #expect(
            prefixes("create drop hash:net family inet\nadd drop 192.0.2.0/24\nadd drop 2001:db8::/32 timeout 5\n")
                == ["192.0.2.0/24", "2001:db8::/32"])
        #expect(read("add drop").faults.map(\.description) == ["f:1:1: `add` without a set and an entry"])
    }

    @Test func `a range is the fewest prefixes that cover it`() {
        #expect(prefixes("192.0.2.1-192.0.2.4") == ["192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/32"])
        #expect(prefixes("192.0.2.0-192.0.2.255") == ["192.0.2.0/24"])
        #expect(prefixes("2001:db8::-2001:db8:0:1:ffff:ffff:ffff:ffff") == ["2001:db8::/63"])
        #expect(prefixes("255.255.255.254-255.255.255.255") == ["255.255.255.254/31"])
        #expect(
            prefixes("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
                == ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"])
        #expect(read("192.0.2.4-192.0.2.1").faultCount == 1)
        #expect(read("192.0.2.4-2001:db8::1").faultCount == 1)
    }

    @Test func `host bits are cleared`() { #expect(prefixes("192.0.2.77/24") == ["192.0.2.0/24"]) }

    @Test(arguments: [
        ("192.0.2.256", 1), ("  192.0.2.1.1", 3), ("192.0.2.1/33", 1), ("192.0.02.1", 1), ("192.0.2.1 trailing", 11),
        ("2001:db8::/129", 1), ("example.test", 1), ("192.0.2.1/", 1), ("/24", 1), ("192.0.2.1/08", 1), ("1.2.3", 1),
    ]) func `a bad line is named with its place and left out, the rest counts`(line: String, column: Int) {
        let content = read("203.0.113.1\n\(line)\n203.0.113.2\n")
        #expect(content.prefixes.map(\.description) == ["203.0.113.1/32", "203.0.113.2/32"])
        #expect(content.faultCount == 1)
        #expect(content.faults.map { [$0.line, $0.column] } == [[2, column]])
    }

    @Test(arguments: ["0.0.0.0/0", "::/0", "10.0.0.0/7", "2000::/15"]) func `a prefix that wide is taken for a mistake`(
        text: String
    ) {
        #expect(read(text).faultCount == 1)
        #expect(read(text).prefixes.isEmpty)
        #expect(read(text, wide: true).prefixes.map(\.description) == [text])
    }

    @Test func `as wide as may be is read`() { #expect(read("10.0.0.0/8\n2001::/16").faultCount == 0) }

    @Test func `faults beyond the first hundred are counted and not kept`() {
        let content = read(String(repeating: "x\n", count: 250))
        #expect(content.faultCount == 250)
        #expect(content.faults.count == 100)
    }

    @Test(arguments: [
        #"["192.0.2.0/24", "2001:db8::/32"]"#,
        #"{"prefixes": [{"ip_prefix": "192.0.2.0/24", "region": "x"}], "ipv6_prefixes": [{"ipv6_prefix": "2001:db8::/32"}]}"#,
        #"{"creationTime": "2026", "prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"ipv6Prefix": "2001:db8::/32"}]}"#,
        "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n{\"cidr\":\"2001:db8::/32\"}\n{\"type\":\"metadata\",\"records\":2}\n",
        #"{"a": {"list": ["192.0.2.0/24"], "cidr": "2001:db8::/32", "n": [1, -2.5e3, true, null]}}"#,
    ]) func `JSON as publishers write it`(text: String) {
        #expect(prefixes(text) == ["192.0.2.0/24", "2001:db8::/32"])
        #expect(read(text).faultCount == 0)
    }

    @Test(arguments: [
        ("[\"192.0.2.0/24\",\n \"x\"]", "f:2:3: "), ("[\"192.0.2.0/24\"", "f:1:16: "),
        ("[\"192.0.2.0/24\"}", "f:1:16: "),
        ("[\"192.0.2.0/24\", \"1.2", "f:1:18: "), ("[\"192.0.2.0/24\" !]", "f:1:17: "),
    ]) func `broken JSON is named with its place`(text: String, place: String) {
        let content = read(text)
        #expect(content.prefixes.map(\.description) == ["192.0.2.0/24"])
        #expect(content.faults.first?.description.hasPrefix(place) == true, "\(content.faults)")
    }

    @Test func `a hundred thousand open brackets do no harm`() {
        #expect(read(String(repeating: "[", count: 100_000)).faultCount == 1)
    }

    @Test func `random bytes break no promise`() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("0123456789.:/-abcdef \n#;{}[]\",xadd".utf8)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0..<60, using: &generator)
            let bytes = (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            #expect(fuzzFeedReader(bytes), "\(String(decoding: bytes, as: UTF8.self))")
        }
    }
}
