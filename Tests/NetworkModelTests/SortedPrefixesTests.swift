// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@Suite struct SortedPrefixesTests {
    @Test func `what is inside a prefix is found whatever comes and goes`() throws {
        var numbers = SystemRandomNumberGenerator()
        var sorted = SortedPrefixes()
        var plain: Set<CIDR> = []
        for step in 0..<4000 {
            let isIPv4 = Bool.random(using: &numbers)
            let low = UInt64.random(in: 0...0x3fff, using: &numbers) << 6
            let address = isIPv4 ? IPAddress(v4: 0x0a00_0000 + UInt32(low)) : IPAddress(high: 0xfd00 << 48, low: low)
            let length = Int.random(in: isIPv4 ? 8...32 : 100...128, using: &numbers)
            let prefix = CIDR(address, length: length)
            if step % 3 == 2 {
                let wasThere = sorted.remove(prefix)
                #expect(wasThere == (plain.remove(prefix) != nil))
            } else {
                let isNew = sorted.insert(prefix)
                #expect(isNew == plain.insert(prefix).inserted)
            }
            guard step % 50 == 0 else { continue }
            for text in ["0.0.0.0/0", "::/0", "10.0.0.0/16", "fd00::/112", "10.0.4.0/22"] {
                let around = try #require(CIDR(text))
                #expect(sorted.inside(around) == plain.filter(around.contains).sorted())
            }
        }
        for prefix in plain { sorted.remove(prefix) }
        #expect(sorted.isEmpty)
    }
}
