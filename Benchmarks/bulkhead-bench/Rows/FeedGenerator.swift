// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// A million prefixes as feeds have them; every run makes the same ones.
struct FeedGenerator {
    enum Shape: String, CaseIterable {
        /// Mostly single hosts, in a part of the space and there in crowds.
        case blocklist
        /// Single hosts anywhere; IPv6: hosts, /64 and /48.
        case hosts
        /// Prefixes as routers have them: /8 to /24, /32 to /48.
        case routes
    }

    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    mutating func prefix(_ shape: Shape, isIPv4: Bool) -> CIDR {
        let draw = below(100)
        switch (shape, isIPv4) {
        case (.blocklist, true):
            return CIDR(crowdedIPv4(), length: draw < 85 ? 32 : draw < 93 ? 24 : 25 + below(5))
        case (.hosts, true): return CIDR(host: address(isIPv4: true))
        case (.routes, true):
            return CIDR(
                crowdedIPv4(),
                length: draw < 59 ? 24 : draw < 80 ? 22 + below(2) : draw < 97 ? 17 + below(5) : 12 + below(5))
        case (.blocklist, false):
            // 20 000 providers of /32; half of the hosts have low numbers in their /64.
            let high =
                0x2a00_0000_0000_0000 | UInt64(skewed(20_000)) << 32 | UInt64(skewed(1 << 16)) << 16 | next() & 0xffff
            let low = draw < 30 ? next() & 0xfff : next()
            return CIDR(
                IPAddress(high: high, low: low),
                length: draw < 60 ? 128 : draw < 85 ? 64 : draw < 95 ? 48 : 32 + below(28))
        case (.hosts, false):
            return CIDR(address(isIPv4: false), length: draw < 33 ? 128 : draw < 67 ? 64 : 48)
        case (.routes, false):
            let high = 0x2a00_0000_0000_0000 | UInt64(below(45)) << 48 | next() >> 16
            return CIDR(IPAddress(high: high, low: 0), length: draw < 60 ? 48 : 32 + below(16))
        }
    }

    /// Any address; IPv6: of the part that is given out.
    mutating func address(isIPv4: Bool) -> IPAddress {
        isIPv4
            ? IPAddress(v4: UInt32(truncatingIfNeeded: next()))
            : IPAddress(high: 0x2000_0000_0000_0000 | next() >> 3, low: next())
    }

    mutating func address(in prefix: CIDR) -> IPAddress {
        let free = (prefix.isIPv4 ? 32 : 128) - prefix.length
        if prefix.isIPv4 { return IPAddress(v4: prefix.address.v4Bits | UInt32(next() & ((1 << UInt64(free)) - 1))) }
        let low = free >= 64 ? next() : next() & ((1 << UInt64(free)) - 1)
        let high = free > 64 ? next() & ((1 << UInt64(free - 64)) - 1) : 0
        return IPAddress(high: prefix.address.high | high, low: prefix.address.low | low)
    }

    /// Of 45 000 nets /16, some with many.
    private mutating func crowdedIPv4() -> IPAddress {
        let net = UInt32(0x0100 + skewed(45_000))
        return IPAddress(v4: net << 16 | UInt32(truncatingIfNeeded: next()) & 0xffff)
    }

    /// Low numbers more often.
    private mutating func skewed(_ count: Int) -> Int {
        let part = Double(next() >> 11) / Double(1 << 53)
        return min(Int(part * part * Double(count)), count - 1)
    }
}
