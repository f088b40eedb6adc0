// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import Testing

@testable import TableEncoding

@Suite struct IPCacheTrieTests {
    @Test(arguments: PrefixDistribution.allCases)
    func `any sequence of changes answers like a linear search`(_ distribution: PrefixDistribution) {
        for seed in 1...6 as ClosedRange<UInt64> {
            var random = SplitMix64(state: seed)
            let trie = IPCacheTrie(chunks: 4)
            var oracle: [CIDR: NumericIdentity] = [:]
            for step in 0..<1500 {
                if Int.random(in: 0..<10, using: &random) < 4, let victim = oracle.keys.randomElement(using: &random) {
                    oracle[victim] = nil
                    #expect(trie.remove(victim))
                } else {
                    let prefix = distribution.prefix(&random)
                    let identity = NumericIdentity(rawValue: .random(in: 1...6, using: &random))
                    oracle[prefix] = identity
                    trie.set(prefix, to: identity)
                }
                if step % 25 == 0 { expectAgreement(trie, oracle, distribution, &random) }
            }
            for prefix in oracle.keys.shuffled(using: &random) {
                oracle[prefix] = nil
                #expect(trie.remove(prefix))
                if oracle.count % 50 == 0 { expectAgreement(trie, oracle, distribution, &random) }
            }
            #expect(trie.count == 0)
        }
    }

    @Test(arguments: PrefixDistribution.allCases)
    func `a bulk load answers like a linear search and can be changed afterwards`(_ distribution: PrefixDistribution)
        throws
    {
        var random = SplitMix64(state: 11)
        var oracle: [CIDR: NumericIdentity] = [:]
        for _ in 0..<2000 {
            oracle[distribution.prefix(&random)] = NumericIdentity(rawValue: .random(in: 1...6, using: &random))
        }
        let trie = IPCacheTrie(chunks: 4)
        try trie.load(oracle)
        expectAgreement(trie, oracle, distribution, &random, probes: 500)
        for prefix in Array(oracle.keys.prefix(1000)) {
            oracle[prefix] = nil
            trie.remove(prefix)
        }
        expectAgreement(trie, oracle, distribution, &random, probes: 500)
    }

    @Test func `a prefix that hid its cover completely gives it back when removed`() throws {
        let trie = IPCacheTrie(chunks: 2)
        let cover = try #require(CIDR("10.1.2.0/25"))
        let halves = [try #require(CIDR("10.1.2.0/26")), try #require(CIDR("10.1.2.64/26"))]
        trie.set(cover, to: NumericIdentity(rawValue: 7))
        for half in halves { trie.set(half, to: NumericIdentity(rawValue: 9)) }
        trie.remove(halves[1])
        #expect(trie.find(try #require(IPAddress("10.1.2.100"))) == NumericIdentity(rawValue: 7))
        #expect(trie.find(try #require(IPAddress("10.1.2.1"))) == NumericIdentity(rawValue: 9))
        trie.remove(cover)
        #expect(trie.find(try #require(IPAddress("10.1.2.100"))) == nil)
    }

    @Test func `the default route covers what nothing else does, in its own family only`() throws {
        let trie = IPCacheTrie(chunks: 2)
        trie.set(CIDR(IPAddress(v4: 0), length: 0), to: NumericIdentity(rawValue: 5))
        trie.set(CIDR(IPAddress(v4: 0x0a00_0000), length: 8), to: NumericIdentity(rawValue: 6))
        #expect(trie.find(IPAddress(v4: 0x0102_0304)) == NumericIdentity(rawValue: 5))
        #expect(trie.find(IPAddress(v4: 0x0aff_0304)) == NumericIdentity(rawValue: 6))
        #expect(trie.find(IPAddress(high: 1 << 61, low: 1)) == nil)
        trie.remove(CIDR(IPAddress(v4: 0x0a00_0000), length: 8))
        #expect(trie.find(IPAddress(v4: 0x0aff_0304)) == NumericIdentity(rawValue: 5))
    }

    @Test func `removing everything and adding it again does not use up the arena`() {
        let trie = IPCacheTrie(chunks: 2)
        var random = SplitMix64(state: 3)
        let prefixes = (0..<3000).map { _ in PrefixDistribution.pods.prefix(&random) }
        var used: [Int] = []
        for _ in 0..<4 {
            for prefix in prefixes { trie.set(prefix, to: NumericIdentity(rawValue: 300)) }
            // The order of a set, and with it how blocks fall together, differs from run to run.
            for prefix in Set(prefixes) { trie.remove(prefix) }
            used.append(trie.usedBytes)
        }
        #expect(used[3] * 100 <= used[0] * 101, "\(used)")
    }

    @Test func `a load that does not fit names need and room`() {
        var random = SplitMix64(state: 5)
        var mappings: [CIDR: NumericIdentity] = [:]
        for _ in 0..<60_000 {
            mappings[CIDR(host: IPAddress(high: random.next(), low: random.next()))] = NumericIdentity(rawValue: 300)
        }
        let trie = IPCacheTrie(chunks: 2)
        #expect {
            try trie.load(mappings)
        } throws: { error in
            guard case TableError.full(.ipcache, let needed, let capacity) = error else { return false }
            return needed > capacity && capacity == 2 << 20
        }
    }

    @Test func `a hundred thousand prefixes load into a few megabytes`() throws {
        var random = SplitMix64(state: 9)
        var mappings: [CIDR: NumericIdentity] = [:]
        while mappings.count < 100_000 {
            mappings[PrefixDistribution.pods.prefix(&random)] = NumericIdentity(
                rawValue: .random(in: 256...65535, using: &random))
        }
        let trie = IPCacheTrie(chunks: 16)
        try trie.load(mappings)
        for (prefix, identity) in mappings.lazy.filter({ $0.key.length == 32 || $0.key.length == 128 }).prefix(20_000) {
            #expect(trie.find(prefix.address) == identity)
        }
        #expect(trie.usedBytes < 8 << 20)
    }

    private func expectAgreement(
        _ trie: IPCacheTrie, _ oracle: [CIDR: NumericIdentity], _ distribution: PrefixDistribution,
        _ random: inout SplitMix64, probes: Int = 12
    ) {
        for _ in 0..<probes {
            let near = Bool.random(using: &random) ? oracle.keys.randomElement(using: &random) : nil
            let address = near.map { randomAddress(in: $0, &random) } ?? distribution.prefix(&random).address
            let best = oracle.filter { $0.key.contains(address) }.max { $0.key.length < $1.key.length }
            #expect(trie.find(address) == best?.value, "\(address) of \(distribution)")
        }
    }
}

/// Shapes of prefix sets that stress different parts of the trie.
enum PrefixDistribution: String, CaseIterable {
    case nestedV4, nestedV6, sparseV6, pods, shortV4

    func prefix(_ random: inout SplitMix64) -> CIDR {
        switch self {
        case .nestedV4:
            let bits = 0x0a01_0000 | (UInt32(truncatingIfNeeded: random.next()) & 0x0001_03ff)
            return CIDR(IPAddress(v4: bits), length: .random(in: 0...32, using: &random))
        case .nestedV6:
            let low = random.next() & 0x8000_0000_0001_0003
            return CIDR(
                IPAddress(high: 0x2001_0db8_0000_0000 | random.next() & 0x0001_0000_0000_0003, low: low),
                length: .random(in: 0...128, using: &random))
        case .sparseV6:
            return CIDR(
                IPAddress(high: 1 << 61 | random.next() >> 3, low: random.next()),
                length: [32, 48, 56, 64, 96, 128].randomElement(using: &random) ?? 128)
        case .pods:
            let host = UInt32(truncatingIfNeeded: random.next()) & 0x0001_ffff
            if random.next() & 1 == 0 {
                let length = random.next() % 10 == 0 ? Int.random(in: 17...31, using: &random) : 32
                return CIDR(IPAddress(v4: 0x0af4_0000 | host), length: length)
            }
            return CIDR(host: IPAddress(high: 0xfd00_0000_0000_0000 | UInt64(host >> 8), low: UInt64(host & 255)))
        case .shortV4:
            return CIDR(
                IPAddress(v4: UInt32(truncatingIfNeeded: random.next())), length: .random(in: 0...20, using: &random))
        }
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
