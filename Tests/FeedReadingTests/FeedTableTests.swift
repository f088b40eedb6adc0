// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PrefixTables
import Testing

@testable import FeedReading

@Suite struct FeedTableTests {
    private static let firstAllowing: UInt8 = 128

    private func table(_ parts: [(UInt8, [String])]) throws -> FeedTable {
        FeedTable(
            try parts.map { .init(number: $0.0, prefixes: try $0.1.map { try #require(CIDR($0)) }) },
            firstAllowing: FeedTableTests.firstAllowing)
    }

    private func find(_ table: FeedTable, _ address: String) throws -> UInt8 {
        let address = try #require(IPAddress(address))
        var prefixes = address.isIPv4 ? table.ipv4 : table.ipv6
        let trie = RangeTrie(RangeMemory(chunkCount: 2), isIPv4: address.isIPv4)
        try trie.load(&prefixes)
        return trie.find(address)
    }

    @Test func `an allow feed beats a deny feed whatever the lengths`() throws {
        let table = try table([
            (1, ["192.0.2.0/24", "198.51.100.7/32", "203.0.114.0/24", "2001:db8::/32"]),
            (128, ["192.0.2.8/32", "198.51.100.0/24", "203.0.114.0/24", "2001:db8:1::/48"]),
        ])
        #expect(try find(table, "192.0.2.8") == 128)
        #expect(try find(table, "192.0.2.9") == 1)
        #expect(try find(table, "198.51.100.7") == 128)
        #expect(try find(table, "203.0.114.7") == 128)
        #expect(try find(table, "2001:db8:1::7") == 128)
        #expect(try find(table, "2001:db8:2::7") == 1)
        #expect(try find(table, "203.0.113.1") == 0)
    }

    @Test func `the longest prefix of a deny feed names the feed`() throws {
        let table = try table([(1, ["192.0.2.0/24"]), (2, ["192.0.2.8/32"]), (3, ["192.0.2.0/24"])])
        #expect(try find(table, "192.0.2.8") == 2)
        #expect(try find(table, "192.0.2.9") == 1)
    }

    @Test func `random feeds answer as the rule says`() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<60 {
            var parts: [FeedTable.Part] = []
            for number: UInt8 in [1, 2, 128, 129] {
                let prefixes = (0..<Int.random(in: 0..<30, using: &generator)).map { _ in
                    CIDR(
                        IPAddress(
                            v4: UInt32.random(in: 0..<256, using: &generator) << 24 | 0xabc0_0000
                                | UInt32.random(in: 0..<64, using: &generator)),
                        length: Int.random(in: 20...32, using: &generator))
                }
                // Few networks, so that prefixes lie in each other.
                parts.append(
                    .init(
                        number: number,
                        prefixes: prefixes.map {
                            CIDR(IPAddress(v4: $0.address.v4Bits & 0x03ff_ffff), length: $0.length)
                        }))
            }
            let table = FeedTable(parts, firstAllowing: FeedTableTests.firstAllowing)
            var prefixes = table.ipv4
            let trie = RangeTrie(RangeMemory(chunkCount: 2), isIPv4: true)
            try trie.load(&prefixes)
            for _ in 0..<200 {
                let base = parts.randomElement(using: &generator)?.prefixes.randomElement(using: &generator)
                let address = IPAddress(
                    v4: (base?.address.v4Bits ?? 0) ^ UInt32.random(in: 0..<128, using: &generator))
                #expect(trie.find(address) == expected(parts, address), "\(address)")
            }
        }
    }

    /// By a loop over everything.
    private func expected(_ parts: [FeedTable.Part], _ address: IPAddress) -> UInt8 {
        for kind in [true, false] {
            var best: (length: Int, number: UInt8)?
            for part in parts where (part.number >= FeedTableTests.firstAllowing) == kind {
                for prefix in part.prefixes where prefix.contains(address) && prefix.length > best?.length ?? -1 {
                    best = (prefix.length, part.number)
                }
            }
            if let best { return best.number }
        }
        return 0
    }
}
