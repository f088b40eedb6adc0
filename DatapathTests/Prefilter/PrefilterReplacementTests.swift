// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import FeedReading
import KernelDatapath
import NetworkModel
import PrefixTables
import Synchronization
import Testing

extension DatapathTests {
    /// Feeds that change while `tc_prefilter` looks into them.
    @Suite struct PrefilterReplacementTests {
        /// What is looked up, and what of it the two versions of a feed list.
        private struct Scene {
            let always: Packet, never: Packet, onlyInFirst: Packet, onlyInSecond: Packet
            /// Sorted; some 60 000 prefixes, of which `share` in 16 differ.
            let first: [RangePrefix], second: [RangePrefix]
        }

        private static func address(_ isIPv4: Bool, _ number: UInt64) -> IPAddress {
            isIPv4
                ? IPAddress(v4: 0x0800_0000 + UInt32(truncatingIfNeeded: number))
                : IPAddress(high: 0x2600_0000_0000_0000 | number << 8, low: number &* 0x9e37_79b9_7f4a_7c15)
        }

        private static func scene(isIPv4: Bool, share: Int) throws -> Scene {
            let length = isIPv4 ? 32 : 128
            var lists: [[CIDR]] = [[], []]
            for number in 0..<60_000 as Range<UInt64> {
                let mixed = (number &* 0xbf58_476d_1ce4_e5b9) >> 40
                // What differs is spread over the whole.
                let isShared = Int(mixed % 16) >= share
                for version in 0..<2 where isShared || Int(number % 2) == version {
                    lists[version].append(CIDR(address(isIPv4, number << 8 | mixed & 0x7f), length: length))
                }
            }
            // By a net in one version, by itself in the other; its neighbours are listed in both.
            let (always, never) = (address(isIPv4, 0x70_0081), address(isIPv4, 0x71_0081))
            let (one, two) = (address(isIPv4, 0x72_0081), address(isIPv4, 0x73_0081))
            lists[0] += [CIDR(always, length: length - 4), CIDR(host: one)]
            lists[1] += [CIDR(host: always), CIDR(host: two)]
            lists[0].removeAll { $0.contains(never) || $0.contains(two) }
            lists[1].removeAll { $0.contains(never) || $0.contains(one) }
            func packet(_ source: IPAddress) -> Packet {
                Packet.ip(source, to: isIPv4 ? Family.v4.own : Family.v6.own).tcp(40000, 443, .syn)
            }
            let tables = lists.map { list in
                let table = FeedTable([.init(number: 1, prefixes: list)], firstAllowing: UInt8(FEED_ALLOW_FIRST))
                return isIPv4 ? table.ipv4 : table.ipv6
            }
            return Scene(
                always: packet(always), never: packet(never), onlyInFirst: packet(one), onlyInSecond: packet(two),
                first: tables[0], second: tables[1])
        }

        /// What the looking side counts.
        private final class Watch: Sendable {
            let isOver = Atomic(false)
            /// Odd while a replacement is on its way.
            let generation = Atomic<Int>(0)
            let runs = Atomic<Int>(0)
            let mixtures = Atomic<Int>(0)
            let checks = Atomic<Int>(0)

            var isEnough: Bool {
                runs.load(ordering: .sequentiallyConsistent) > 100_000
                    && checks.load(ordering: .sequentiallyConsistent) > 50
            }
        }

        @Test(arguments: [true, false], [1, 16])
        func `while a feed is replaced no packet is judged by a mixture of old and new`(isIPv4: Bool, share: Int)
            async throws
        {
            let scene = try Self.scene(isIPv4: isIPv4, share: share)
            let fixture = try PrefilterFixture { $0.checksSources = false }
            var first = scene.first
            try fixture.tables.replaceFeeds(isIPv4: isIPv4, &first)
            let before = try fixture.counters()
            let watch = Watch()
            let looking = Self.look(fixture, scene, watch)
            var ways: [FeedChangeWay] = []
            // Until the looking side has looked often enough, which is soon.
            for round in 0..<2000 where round < 20 || !watch.isEnough {
                let (old, new) = round % 2 == 0 ? (scene.first, scene.second) : (scene.second, scene.first)
                watch.generation.add(1, ordering: .sequentiallyConsistent)
                ways.append(try fixture.tables.changeFeeds(isIPv4: isIPv4, from: old, to: new).way)
                watch.generation.add(1, ordering: .sequentiallyConsistent)
                try await Task.sleep(for: .milliseconds(5))
            }
            watch.isOver.store(true, ordering: .sequentiallyConsistent)
            try await looking.value
            if share == 16 {
                #expect(ways.allSatisfy { $0 == .rebuilt }, "\(ways)")
            } else {
                #expect(ways.contains { if case .copied = $0 { true } else { false } }, "\(ways)")
            }
            let after = try fixture.counters()
            let runs = UInt64(watch.runs.load(ordering: .sequentiallyConsistent))
            #expect(watch.isEnough)
            #expect(watch.mixtures.load(ordering: .sequentiallyConsistent) == 0)
            // Of the address that both list not one passed; of the one that neither lists not one was dropped.
            let pairs = UInt64(watch.checks.load(ordering: .sequentiallyConsistent))
            let dropped =
                (after[PREFILTER_DROPPED + DROP_SHIELD_FEED] ?? 0) - (before[PREFILTER_DROPPED + DROP_SHIELD_FEED] ?? 0)
            let passed = (after[PREFILTER_PASSED] ?? 0) - (before[PREFILTER_PASSED] ?? 0)
            #expect(dropped + passed == 2 * runs + 3 * pairs)
            #expect(dropped >= runs && dropped <= runs + 3 * pairs)
            #expect(passed >= runs && passed <= runs + 3 * pairs)
        }

        /// Looks up until the watch is over, on a thread of the pool.
        private static func look(_ fixture: PrefilterFixture, _ scene: Scene, _ watch: Watch) -> Task<Void, any Error> {
            // Only its programs are run here; the tables are the other side's.
            nonisolated(unsafe) let fixture = fixture
            return Task.detached {
                while !watch.isOver.load(ordering: .sequentiallyConsistent) {
                    let count: Int32 = 2000
                    unsafe #expect(try !fixture.run(scene.always, repeatCount: count))
                    unsafe #expect(try fixture.run(scene.never, repeatCount: count))
                    watch.runs.add(Int(count), ordering: .relaxed)
                    let begin = watch.generation.load(ordering: .sequentiallyConsistent)
                    let one = unsafe try fixture.run(scene.onlyInFirst, repeatCount: 1)
                    let two = unsafe try fixture.run(scene.onlyInSecond, repeatCount: 1)
                    let again = unsafe try fixture.run(scene.onlyInFirst, repeatCount: 1)
                    watch.checks.add(1, ordering: .relaxed)
                    // Within one generation there is one replacement at most: what is the same before and after was so between.
                    let isOneGeneration = watch.generation.load(ordering: .sequentiallyConsistent) == begin
                    if isOneGeneration, one == again, one == two { watch.mixtures.add(1, ordering: .relaxed) }
                }
            }
        }

        /// Shapes that fill a node with hosts, with nets of all lengths, with both nested, and with two feeds.
        @Test(arguments: [true, false], [0, 1, 2, 3])
        func `the kernel finds what a linear search finds, also after changes`(isIPv4: Bool, shape: Int) throws {
            var random = SystemRandomNumberGenerator()
            func prefix() -> CIDR {
                let bits = UInt64.random(in: 0...UInt64.max, using: &random)
                let host = isIPv4 ? 32 : 128
                let length =
                    shape == 0
                    ? host : shape == 1 ? host - Int.random(in: 0..<12) : host - Int.random(in: 0..<(host - 16))
                return CIDR(
                    isIPv4
                        ? IPAddress(v4: 0x0a00_0000 | UInt32(truncatingIfNeeded: bits) & 0x0003_ffff)
                        : IPAddress(high: 0x2600_0000_0000_0000 | bits & 0x3_0003, low: bits >> 40), length: length)
            }
            let fixture = try PrefilterFixture { $0.checksSources = false }
            var parts: [FeedTable.Part] = [1, 2, 128].map { .init(number: $0, prefixes: []) }
            for _ in 0..<3000 { parts[shape == 3 ? Int.random(in: 0..<3) : 0].prefixes.append(prefix()) }
            var inForce: [RangePrefix] = []
            for _ in 0..<3 {
                let table = FeedTable(parts, firstAllowing: UInt8(FEED_ALLOW_FIRST))
                let wanted = isIPv4 ? table.ipv4 : table.ipv6
                try fixture.tables.changeFeeds(isIPv4: isIPv4, from: inForce, to: wanted)
                inForce = wanted
                for round in 0..<400 {
                    let listed = parts.randomElement()?.prefixes.randomElement()
                    let address = round % 2 == 0 ? prefix().address : (listed ?? prefix()).address
                    let covering = parts.filter { part in part.prefixes.contains { $0.contains(address) } }
                    let isDenied = !covering.isEmpty && !covering.contains { $0.number >= 128 }
                    let packet = Packet.ip(address, to: isIPv4 ? Family.v4.own : Family.v6.own).tcp(40000, 443, .syn)
                    #expect(try fixture.run(packet, repeatCount: 1) == !isDenied, "\(address)")
                }
                for index in parts.indices where !parts[index].prefixes.isEmpty {
                    parts[index].prefixes.removeAll { _ in Int.random(in: 0..<30) == 0 }
                    for _ in 0..<60 { parts[index].prefixes.append(prefix()) }
                }
            }
        }

        @Test(arguments: [true, false]) func `one prefix more or less is changed in place`(isIPv4: Bool) throws {
            let fixture = try PrefilterFixture { $0.checksSources = false }
            let scene = try Self.scene(isIPv4: isIPv4, share: 0)
            var list = scene.first
            try fixture.tables.replaceFeeds(isIPv4: isIPv4, &list)
            let address = Self.address(isIPv4, 0x71_0081)
            var more = list + [RangePrefix(CIDR(host: address), value: 1)]
            more.sort(by: RangePrefix.precedes)
            #expect(try fixture.run(scene.never, repeatCount: 1))
            #expect(try fixture.tables.changeFeeds(isIPv4: isIPv4, from: list, to: more).way == .inPlace)
            #expect(try !fixture.run(scene.never, repeatCount: 1))
            #expect(try fixture.tables.changeFeeds(isIPv4: isIPv4, from: more, to: more).way == .unchanged)
            #expect(try fixture.tables.changeFeeds(isIPv4: isIPv4, from: more, to: list).way == .inPlace)
            #expect(try fixture.run(scene.never, repeatCount: 1))
            #expect(try !fixture.run(scene.always, repeatCount: 1))
        }
    }
}
