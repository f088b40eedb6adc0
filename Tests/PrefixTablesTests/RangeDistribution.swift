// SPDX-License-Identifier: Apache-2.0

import NetworkModel

@testable import PrefixTables

/// Shapes of prefix sets that stress different parts of the trie.
enum RangeDistribution: String, CaseIterable {
    case nestedV4, hostsV4, shortV4, nestedV6, sparseV6, oneNetworkV6

    var isIPv4: Bool { self == .nestedV4 || self == .hostsV4 || self == .shortV4 }

    func prefix(_ random: inout SplitMix64) -> CIDR {
        switch self {
        case .nestedV4:
            let bits = 0x0a01_0000 | (UInt32(truncatingIfNeeded: random.next()) & 0x0001_03ff)
            return CIDR(IPAddress(v4: bits), length: .random(in: 0...32, using: &random))
        case .hostsV4:
            let bits = UInt32(truncatingIfNeeded: random.next())
            return CIDR(
                IPAddress(v4: bits & 0x3fff_ffff),
                length: random.next() % 8 == 0 ? .random(in: 17...31, using: &random) : 32)
        case .shortV4:
            return CIDR(
                IPAddress(v4: UInt32(truncatingIfNeeded: random.next())), length: .random(in: 0...20, using: &random))
        case .nestedV6:
            let low = random.next() & 0x8000_0000_0001_0003
            return CIDR(
                IPAddress(high: 0x2001_0db8_0000_0000 | random.next() & 0x0001_0000_0000_0003, low: low),
                length: .random(in: 0...128, using: &random))
        case .sparseV6:
            return CIDR(
                IPAddress(high: 1 << 61 | random.next() >> 3, low: random.next()),
                length: [32, 48, 56, 64, 96, 128].randomElement(using: &random) ?? 128)
        case .oneNetworkV6:
            return CIDR(host: IPAddress(high: 0x2001_0db8_0000_0001, low: random.next() >> (8 * (random.next() % 8))))
        }
    }

    func prefixes(_ count: Int, _ random: inout SplitMix64) -> [RangePrefix] {
        (0..<count).map { _ in RangePrefix(prefix(&random), value: .random(in: 1...255, using: &random)) }
    }

    /// What a linear search goes through; of equal prefixes the last one.
    func oracle(_ prefixes: [RangePrefix]) -> [CIDR: UInt8] {
        var oracle: [CIDR: UInt8] = [:]
        for prefix in prefixes { oracle[cidr(prefix)] = prefix.value }
        return oracle
    }

    private func cidr(_ prefix: RangePrefix) -> CIDR {
        isIPv4
            ? CIDR(IPAddress(v4: UInt32(truncatingIfNeeded: prefix.high >> 32)), length: prefix.bits)
            : CIDR(IPAddress(high: prefix.high, low: prefix.low), length: prefix.bits)
    }
}

func randomAddress(in prefix: CIDR, _ random: inout SplitMix64) -> IPAddress {
    let bits = prefix.isIPv4 ? prefix.length + 96 : prefix.length
    let high = bits >= 64 ? 0 : random.next() >> UInt64(bits)
    let low = bits >= 128 ? 0 : bits <= 64 ? random.next() : random.next() >> UInt64(bits - 64)
    return IPAddress(high: prefix.address.high | high, low: prefix.address.low | low)
}

/// A small generator whose sequence depends on its seed only.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
