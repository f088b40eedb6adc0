// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import FeedReading
import KernelPrograms
import NetworkModel
import PrefixTables

/// The shield's feeds: a million prefixes loaded, looked up beside the kernel's own trie, and changed one by one.
enum ShieldCost: Benchmark {
    static let name = "shield"
    static let summary = "a million prefixes of each family: load, lookup, one changed, memory"

    private static let prefixCount = 1_000_000
    private static let keyCount = 1 << 20
    private static let lookupsPerRun = 256

    static func run(_ effort: Effort) throws -> [Row] {
        var generator = FeedGenerator(seed: 41)
        var rows: [Row] = []
        for isIPv4 in [true, false] {
            for shape in FeedGenerator.Shape.allCases {
                rows += try lookups(shape, isIPv4: isIPv4, effort, &generator)
            }
        }
        return rows
    }

    /// Loads a million prefixes of a shape, looks addresses up beside the kernel's trie, and changes some.
    private static func lookups(
        _ shape: FeedGenerator.Shape, isIPv4: Bool, _ effort: Effort, _ generator: inout FeedGenerator
    ) throws -> [Row] {
        let family = isIPv4 ? "IPv4" : "IPv6", title = "1 M \(family) \(shape.rawValue)"
        let prefixes = (0..<prefixCount).map { _ in generator.prefix(shape, isIPv4: isIPv4) }
        // Routes lie within each other, and what says the same as the one around it is left out: so they are of many feeds.
        let feeds = shape == .routes ? 100 : 1
        let parts = (0..<feeds).map { feed in
            FeedTable.Part(
                number: UInt8(feed + 1),
                prefixes: feeds == 1 ? prefixes : stride(from: feed, to: prefixes.count, by: feeds).map { prefixes[$0] }
            )
        }
        var trie: RangeTrie
        var sorted: [RangePrefix]
        var times = Samples()
        repeat {
            let begin = Clocks.thread
            let table = FeedTable(parts, firstAllowing: UInt8(FEED_ALLOW_FIRST))
            sorted = isIPv4 ? table.ipv4 : table.ipv6
            trie = RangeTrie(RangeMemory(chunkCount: isIPv4 ? 16 : 32), isIPv4: isIPv4)
            try trie.load(&sorted)
            times.add(Double(Clocks.thread - begin) / 1e9)
        } while times.values.count < effort.rounds
        let load = times.median
        let megabytes = Double(trie.usedBytes) / 1e6
        report("  shield, \(title): \(sorted.count) prefixes are left of a million, \(load) s CPU, \(megabytes) MB")
        let field = try LookupField(trie)
        try field.fillLPM(sorted)
        field.writeKeys((0..<keyCount).map { _ in generator.address(isIPv4: isIPv4) })
        let random = try field.rounds(isIPv4: isIPv4, effort)
        field.writeKeys((0..<keyCount).map { _ in generator.address(in: prefixes[generator.below(prefixCount)]) })
        let listed = try field.rounds(isIPv4: isIPv4, effort)
        let text = [random.ours, random.peer, listed.ours, listed.peer].map { ResultTable.number($0.least) }
        report("  shield, \(title): +ns random ours / LPM, listed ours / LPM = \(text.joined(separator: " / "))")
        var rows = [
            Row("load \(title)", unit: "s CPU", ours: load, bound: 0.5),
            Row("memory of \(title)", unit: "MB", ours: megabytes, bound: isIPv4 ? 32 : 64),
            Row("look up random in \(title)", unit: "+ns", ours: random.ours.least, bound: isIPv4 ? 60 : 85),
        ]
        if isIPv4 { rows.append(Row("look up listed in \(title)", unit: "+ns", ours: listed.ours.least, bound: 85)) }
        rows.append(
            Row("look up listed in \(title)", unit: "+ns", samples: listed, peerName: "LPM trie", bound: 0.35))
        return try rows + changes(trie, shape, isIPv4: isIPv4, &generator)
    }

    /// One prefix more, as fast as they come, with the old blocks given back after each, as the agent does it.
    private static func changes(
        _ trie: RangeTrie, _ shape: FeedGenerator.Shape, isIPv4: Bool, _ generator: inout FeedGenerator
    ) throws -> [Row] {
        var samples = Samples()
        for _ in 0..<10_000 {
            let prefix = RangePrefix(generator.prefix(shape, isIPv4: isIPv4), value: 2)
            let begin = Clocks.thread
            try trie.set(prefix)
            trie.reclaim()
            samples.add(Double(Clocks.thread - begin) / 1000)
        }
        let mean = samples.values.reduce(0, +) / Double(samples.values.count)
        let title = "1 M \(isIPv4 ? "IPv4" : "IPv6") \(shape.rawValue)"
        return [
            Row("change one of \(title), mean", unit: "µs", ours: mean, bound: 25),
            Row("change one of \(title), worst", unit: "µs", ours: samples.greatest, bound: 1000),
        ]
    }

    /// A program's mean time for one lookup beyond the loop around it.
    private struct LookupField: ~Copyable {
        private let keysOnly: BPFProgram
        private let shortKeysOnly: BPFProgram
        private let ipv4: BPFProgram
        private let ipv6: BPFProgram
        private let lpm: BPFProgram
        private let shortLPM: BPFProgram
        private let keys: MappedArray
        private let shortKeys: MappedArray
        private let lpmMap: BPFMap<LPMKey, UInt32>

        struct LPMKey: BitwiseCopyable, Sendable {
            var length: UInt32
            var words: (UInt32, UInt32, UInt32, UInt32)
        }

        init(_ trie: RangeTrie) throws {
            let object = try BPFObject(.feed_lookup)
            try object.load()
            let chunks = (trie.usedBytes + RangeMemory.chunkBytes - 1) / RangeMemory.chunkBytes
            let map = try FileDescriptor.innerArray(name: "trie", valueSize: RangeMemory.chunkBytes, entryCount: chunks)
            let memory = try MappedArray(map, name: "trie")
            for chunk in 0..<chunks {
                unsafe trie.memory.withChunk(chunk) { source in
                    unsafe memory.write(source.bytes, at: chunk * memory.elementStride)
                }
            }
            try map.install(into: object.mapDescriptor("lookup_trie_map"), slot: 0)
            let keysOnly = try object.program("keys_only")
            let shortKeysOnly = try object.program("short_keys_only")
            let ipv4 = try object.program("find_ipv4")
            let ipv6 = try object.program("find_ipv6")
            let lpm = try object.program("find_lpm")
            let shortLPM = try object.program("find_lpm_ipv4")
            let shortKeys = try MappedArray(
                object.mapDescriptor("lookup_short_keys_map"), name: "lookup_short_keys_map")
            let keys = try MappedArray(object.mapDescriptor("lookup_keys_map"), name: "lookup_keys_map")
            lpmMap = try object.map("lookup_lpm_map")
            self.keysOnly = keysOnly
            self.shortKeysOnly = shortKeysOnly
            self.shortLPM = shortLPM
            self.shortKeys = shortKeys
            self.ipv4 = ipv4
            self.ipv6 = ipv6
            self.lpm = lpm
            self.keys = keys
        }

        func writeKeys(_ addresses: [IPAddress]) {
            for (index, address) in addresses.enumerated() {
                let key = RangePrefix(CIDR(host: address), value: 0)
                shortKeys.write(UInt32(key.high >> 32), at: 4 * index)
                keys.write(key.high, at: 16 * index)
                keys.write(key.low, at: 16 * index + 8)
            }
        }

        func fillLPM(_ prefixes: [RangePrefix]) throws {
            var rest = prefixes[...]
            while !rest.isEmpty {
                try lpmMap.update(
                    rest.prefix(65_536).map { prefix in
                        let words = [prefix.high >> 32, prefix.high, prefix.low >> 32, prefix.low].map {
                            UInt32(truncatingIfNeeded: $0).bigEndian
                        }
                        let key = LPMKey(length: UInt32(prefix.length), words: (words[0], words[1], words[2], words[3]))
                        return (key: key, value: 1)
                    })
                rest = rest.dropFirst(65_536)
            }
        }

        /// What a lookup adds to the loop around it: ours and the kernel's trie, in turn; of each round the best of three.
        func rounds(isIPv4: Bool, _ effort: Effort) throws -> PairedSamples {
            var samples = PairedSamples()
            for _ in 0..<effort.rounds {
                var ours = Double.infinity, peer = Double.infinity
                for _ in 0..<3 {
                    let base = try isIPv4 ? time(shortKeysOnly) : time(keysOnly)
                    ours = min(ours, try isIPv4 ? time(ipv4) - base : time(ipv6) - base)
                    peer = min(peer, try isIPv4 ? time(shortLPM) - base : time(lpm) - base)
                }
                samples.add(ours: ours, peer: peer)
            }
            return samples
        }

        /// All keys once.
        private func time(_ program: borrowing BPFProgram) throws -> Double {
            let runs = Int32(ShieldCost.keyCount / ShieldCost.lookupsPerRun)
            let result = try program.testRun(packet: [UInt8](repeating: 0, count: 64), repeatCount: runs)
            return Double(result.nanoseconds) / Double(ShieldCost.lookupsPerRun)
        }
    }
}
