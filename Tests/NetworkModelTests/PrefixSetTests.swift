// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@Suite struct PrefixSetTests {
    @Test func `it covers exactly what one of its prefixes covers`() throws {
        var random = SystemRandomNumberGenerator()
        func prefix() -> CIDR {
            // Few bits, so that prefixes lie within, beside and upon each other; IPv6 around the IPv4-mapped range too.
            let bits = UInt64.random(in: 0..<64, using: &random) << UInt64.random(in: 0..<4, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: return CIDR(IPAddress(v4: UInt32(bits)), length: Int.random(in: 22...32, using: &random))
            case 1:
                return CIDR(IPAddress(high: 0, low: bits), length: Int.random(in: 118...128, using: &random))
            default: return CIDR(IPAddress(high: 0, low: ~0 - bits), length: Int.random(in: 0...128, using: &random))
            }
        }
        for _ in 0..<200 {
            let prefixes = (0..<Int.random(in: 0...12, using: &random)).map { _ in prefix() }
            let set = PrefixSet(prefixes)
            for _ in 0..<40 {
                let asked = prefix()
                let ofPrefix = set.contains(asked) == prefixes.contains { $0.contains(asked) }
                let ofAddress = set.contains(asked.address) == prefixes.contains { $0.contains(asked.address) }
                try #require(ofPrefix && ofAddress, "\(asked) in \(prefixes)")
            }
        }
    }
}
