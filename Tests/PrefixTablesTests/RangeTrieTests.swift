// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@testable import PrefixTables

@Suite struct RangeTrieTests {
    @Test(arguments: RangeDistribution.allCases)
    func `a load answers like a linear search`(_ distribution: RangeDistribution) throws {
        for seed in 1...4 as ClosedRange<UInt64> {
            var random = SplitMix64(state: seed)
            var prefixes = distribution.prefixes(1500, &random)
            let oracle = distribution.oracle(prefixes)
            let trie = RangeTrie(RangeMemory(chunkCount: 2), isIPv4: distribution.isIPv4)
            try trie.load(&prefixes)
            #expect(prefixes.count == oracle.count)
            expectAgreement(trie, oracle, distribution, &random, probes: 400)
        }
    }

    @Test(arguments: RangeDistribution.allCases)
    func `any sequence of changes answers like a linear search`(_ distribution: RangeDistribution) throws {
        for seed in 1...4 as ClosedRange<UInt64> {
            var random = SplitMix64(state: seed)
            var prefixes = distribution.prefixes(300, &random)
            var oracle = distribution.oracle(prefixes)
            let trie = RangeTrie(RangeMemory(chunkCount: 2), isIPv4: distribution.isIPv4)
            try trie.load(&prefixes)
            for step in 0..<900 {
                if Int.random(in: 0..<10, using: &random) < 4, let victim = oracle.keys.randomElement(using: &random) {
                    oracle[victim] = nil
                    try trie.set(RangePrefix(victim, value: 0), coveredBy: longest(oracle, around: victim))
                } else {
                    let prefix = distribution.prefix(&random)
                    let value = UInt8.random(in: 1...255, using: &random)
                    oracle[prefix] = value
                    try trie.set(RangePrefix(prefix, value: value))
                }
                if step % 20 == 0 { expectAgreement(trie, oracle, distribution, &random) }
                if step % 50 == 0 { trie.reclaim() }
            }
            for prefix in oracle.keys.shuffled(using: &random) {
                oracle[prefix] = nil
                try trie.set(RangePrefix(prefix, value: 0), coveredBy: longest(oracle, around: prefix))
                if oracle.count % 50 == 0 { expectAgreement(trie, oracle, distribution, &random) }
            }
        }
    }

    @Test func `a load that does not fit is an error, and so is a change, which leaves all as it was`() throws {
        var random = SplitMix64(state: 5)
        var prefixes = (0..<90_000).map { _ in RangeDistribution.sparseV6.prefix(&random) }.map {
            RangePrefix($0, value: 1)
        }
        let trie = RangeTrie(RangeMemory(chunkCount: 1), isIPv4: false)
        #expect(throws: RangeTrieError.full(capacity: RangeMemory.chunkBytes)) { try trie.load(&prefixes) }

        let small = RangeTrie(RangeMemory(chunkCount: 1), isIPv4: false)
        var taken: [CIDR] = []
        #expect(throws: RangeTrieError.full(capacity: RangeMemory.chunkBytes)) {
            while true {
                let prefix = RangeDistribution.sparseV6.prefix(&random)
                try small.set(RangePrefix(prefix, value: 7))
                taken.append(prefix)
            }
        }
        for prefix in taken { #expect(small.find(prefix.address) == 7) }
        // What the changes unlinked is room again.
        #expect(small.retiredBytes > 0)
        small.reclaim()
        try small.set(RangePrefix(RangeDistribution.sparseV6.prefix(&random), value: 8))
    }

    @Test func `setting and removing the same prefixes again and again does not use up the memory`() throws {
        var random = SplitMix64(state: 3)
        let prefixes = (0..<3000).map { _ in RangeDistribution.nestedV6.prefix(&random) }
        let trie = RangeTrie(RangeMemory(chunkCount: 4), isIPv4: false)
        var used: [Int] = []
        for _ in 0..<5 {
            for prefix in prefixes {
                try trie.set(RangePrefix(prefix, value: 3))
                trie.reclaim()
            }
            for prefix in prefixes {
                try trie.set(RangePrefix(prefix, value: 0))
                trie.reclaim()
            }
            used.append(trie.usedBytes)
        }
        #expect(used[4] * 100 <= used[1] * 101, "\(used)")
    }

    private func expectAgreement(
        _ trie: RangeTrie, _ oracle: [CIDR: UInt8], _ distribution: RangeDistribution, _ random: inout SplitMix64,
        probes: Int = 12
    ) {
        for _ in 0..<probes {
            let near = Bool.random(using: &random) ? oracle.keys.randomElement(using: &random) : nil
            let address = near.map { randomAddress(in: $0, &random) } ?? distribution.prefix(&random).address
            let best = oracle.filter { $0.key.contains(address) }.max { $0.key.length < $1.key.length }
            #expect(trie.find(address) == best?.value ?? 0, "\(address) of \(distribution)")
        }
    }

    private func longest(_ oracle: [CIDR: UInt8], around prefix: CIDR) -> RangePrefix? {
        oracle.filter { $0.key.contains(prefix) }.max { $0.key.length < $1.key.length }
            .map { RangePrefix($0.key, value: $0.value) }
    }
}

@Suite struct RangeDifferenceTests {
    @Test(arguments: RangeDistribution.allCases)
    func `a trie that takes the steps from one set to another answers like the other`(_ distribution: RangeDistribution)
        throws
    {
        for seed in 1...6 as ClosedRange<UInt64> {
            var random = SplitMix64(state: seed)
            var old = distribution.prefixes(400, &random)
            RangeTrie.normalize(&old)
            // Some go, some come, some get another class.
            var new = old.filter { _ in Int.random(in: 0..<10, using: &random) > 1 }
            for index in new.indices where Int.random(in: 0..<10, using: &random) == 0 { new[index].value ^= 0x80 }
            new = new.filter { $0.value != 0 } + distribution.prefixes(80, &random)
            RangeTrie.normalize(&new)
            let trie = RangeTrie(RangeMemory(chunkCount: 2), isIPv4: distribution.isIPv4)
            try trie.load(&old)
            let changes = try #require(RangeChange.between(old, new, limit: 10_000))
            for change in changes {
                try trie.set(change.prefix, coveredBy: change.cover)
                trie.reclaim()
            }
            let oracle = distribution.oracle(new)
            for _ in 0..<400 {
                let near = Bool.random(using: &random) ? oracle.keys.randomElement(using: &random) : nil
                let address = near.map { randomAddress(in: $0, &random) } ?? distribution.prefix(&random).address
                let best = oracle.filter { $0.key.contains(address) }.max { $0.key.length < $1.key.length }
                #expect(trie.find(address) == best?.value ?? 0, "\(address) of \(distribution)")
            }
        }
    }

    @Test func `equal sets have no difference, and a large one is none that is worth its steps`() {
        var random = SplitMix64(state: 1)
        var one = RangeDistribution.hostsV4.prefixes(1000, &random)
        var other = RangeDistribution.hostsV4.prefixes(1000, &random)
        RangeTrie.normalize(&one)
        RangeTrie.normalize(&other)
        #expect(RangeChange.between(one, one, limit: 0) == [])
        #expect(RangeChange.between(one, other, limit: 500) == nil)
        #expect(RangeChange.between([], one, limit: 1000)?.count == one.count)
        #expect(RangeChange.between(one, [], limit: 1000)?.count == one.count)
        #expect(RangeChange.between(one, Array(one.dropFirst()), limit: 1)?.first?.prefix.value == 0)
    }

    @Test func `a trie goes on from what is known of it, in longer memory`() throws {
        var random = SplitMix64(state: 9)
        var prefixes = RangeDistribution.sparseV6.prefixes(15_000, &random)
        let first = RangeTrie(RangeMemory(chunkCount: 1), isIPv4: false)
        try first.load(&prefixes)
        let longer = RangeMemory(chunkCount: 2)
        unsafe first.memory.withChunk(0) { source in
            unsafe longer.withMutableChunk(0) { unsafe $0.copyMemory(from: source) }
        }
        let second = RangeTrie(longer, isIPv4: false, state: first.state)
        var more: [RangePrefix] = []
        while second.usedBytes <= RangeMemory.chunkBytes {
            more.append(RangePrefix(RangeDistribution.sparseV6.prefix(&random), value: 9))
            try second.set(more[more.count - 1])
            second.reclaim()
        }
        for prefix in more.suffix(200) where prefix.bits == 128 {
            #expect(second.find(IPAddress(high: prefix.high, low: prefix.low)) == 9)
        }
    }
}
