// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
import CDatapathABI
import CLinuxShim
import Glibc
package import NetworkModel
package import PrefixTables

/// The prefilter's tables in the kernel (`bpf/abi/prefilter.h`), and what is done with them.
package struct ShieldTables: ~Copyable {
    let settingsMemory: MappedArray
    let ports: MappedArray
    let feeds: FileDescriptor
    let feedHits: BPFMap<UInt32, metric>
    let metrics: BPFMap<UInt32, metric>
    let samples: MappedArray
    private let clock: KernelMonotonicClock
    let blockTable: BPFMap<prefilter_block_key, prefilter_block>
    /// What was last written, so that switching a part on or off needs nobody to say the rest again.
    private var settings = ShieldSettings()
    private var hasReflectorFilter = false
    private var feedFamilies: Set<UInt32> = []
    /// What this process has put in force, by `isIPv4`.
    private var tries: [Bool: FeedTrie] = [:]
    private var isCommitted = false
    private let flooded: BPFMap<ip_address, UInt32>

    /// Takes the tables of a loaded object.
    package init(_ object: borrowing BPFObject) throws(BPFError) {
        let settingsMemory = try MappedArray(
            object.mapDescriptor("prefilter_settings_map"), name: "prefilter_settings_map")
        let ports = try MappedArray(object.mapDescriptor("prefilter_ports_map"), name: "prefilter_ports_map")
        let feeds = try object.mapDescriptor("prefilter_feeds_map")
        let feedHits: BPFMap<UInt32, metric> = try object.map("prefilter_feed_hits_map")
        let metrics: BPFMap<UInt32, metric> = try object.map("prefilter_metrics_map")
        let samples = try MappedArray(object.mapDescriptor("prefilter_samples_map"), name: "prefilter_samples_map")
        let clock = try KernelMonotonicClock()
        // Assigned last: a type that cannot be copied is built whole or not at all.
        let flooded: BPFMap<ip_address, UInt32> = try object.map("prefilter_flooded_map")
        blockTable = try object.map("prefilter_blocks_map")
        self.flooded = flooded
        self.settingsMemory = settingsMemory
        self.ports = ports
        self.feeds = feeds
        self.feedHits = feedHits
        self.metrics = metrics
        self.samples = samples
        self.clock = clock
        seedHash()
    }

    /// A secret of this machine's own, kept as long as the tables.
    private func seedHash() {
        var generator = SystemRandomNumberGenerator()
        let offset = MemoryLayout<prefilter_settings>.offset(of: \.hash_key) ?? 8
        guard settingsMemory.value(at: offset, as: UInt64.self) == 0 else { return }
        for word in 0..<2 {
            settingsMemory.write(UInt64.random(in: 1...UInt64.max, using: &generator), at: offset + 8 * word)
        }
    }

    /// Puts settings into force in one store; `hasReflectorFilter`: questions are seen where they leave.
    package mutating func configure(_ settings: ShieldSettings, hasReflectorFilter: Bool) throws(BPFError) {
        self.settings = settings
        self.hasReflectorFilter = hasReflectorFilter
        write(settings.reflectorPorts, at: MemoryLayout<prefilter_ports>.offset(of: \.reflectors))
        write(settings.servedPorts, at: MemoryLayout<prefilter_ports>.offset(of: \.served))
        write(settings.failsafePorts, at: MemoryLayout<prefilter_ports>.offset(of: \.failsafes))
        try commit()
    }

    /// For which addresses `floodedLimits` hold, from now on.
    package func setFlooded(_ addresses: Set<IPAddress>) throws(BPFError) {
        var gone: [ip_address] = []
        try flooded.forEach { key, _ in if !addresses.contains(IPAddress(key)) { gone.append(key) } }
        for address in addresses { try flooded.update(ip_address(address), to: 1) }
        try flooded.remove(gone)
    }

    /// A set of ports, word by word: a port that stays in it is never missing.
    private func write(_ set: Set<UInt16>, at offset: Int?) {
        var words = [UInt64](repeating: 0, count: 1024)
        for port in set { words[Int(port) >> 6] |= 1 << UInt64(port & 63) }
        for (index, word) in words.enumerated() { ports.storeReleasingDoubleWord(word, at: (offset ?? 0) + 8 * index) }
    }

    /// Writes the bank that is not in force, and makes it the one that is.
    private mutating func commit() throws(BPFError) {
        let present = try blockKinds()
        let config = settings.kernelConfig(
            hasReflectorFilter: hasReflectorFilter, hasFeeds: !feedFamilies.isEmpty, hasBlocks: present.addresses,
            hasBlockedNetworks: present.networks)
        let next = 1 - settingsMemory.loadAcquiring(at: 0) & 1
        let banks = MemoryLayout<prefilter_settings>.offset(of: \.banks) ?? 24
        settingsMemory.write(config, at: banks + Int(next) * MemoryLayout<prefilter_config>.stride)
        settingsMemory.storeReleasing(next, at: 0)
        // The bank that was in force is written next time, and nobody may be reading it then.
        _ = bulkhead_membarrier_global()
        isCommitted = true
    }

    // MARK: - Feeds

    /// Replaces all feeds of a family at once: packets see the old ones or the new ones.
    ///
    /// `prefixes` come back sorted. Returns the bytes that the trie takes in the kernel.
    @discardableResult
    package mutating func replaceFeeds(isIPv4: Bool, _ prefixes: inout [RangePrefix]) throws(BPFError) -> Int {
        let trie = prefixes.isEmpty ? nil : try FeedTrie(isIPv4: isIPv4, &prefixes)
        return try install(trie, isIPv4: isIPv4)
    }

    /// The same, but touches only what is other than before: `old` and `new` are sorted and without repetitions, and
    /// `old` is what was last put in force.
    @discardableResult
    package mutating func changeFeeds(isIPv4: Bool, from old: [RangePrefix], to new: [RangePrefix])
        throws(BPFError) -> (bytes: Int, way: FeedChangeWay)
    {
        guard let trie = tries[isIPv4], !new.isEmpty,
            let changes = RangeChange.between(old, new, limit: new.count / FeedTrie.rebuiltShare)
        else {
            var new = new
            return (try replaceFeeds(isIPv4: isIPv4, &new), .rebuilt)
        }
        guard !changes.isEmpty else { return (trie.bytes, .unchanged) }
        if changes.count == 1, try trie.changeInPlace(changes[0]) { return (trie.bytes, .inPlace) }
        guard let copy = try trie.copy(with: changes) else {
            var new = new
            return (try replaceFeeds(isIPv4: isIPv4, &new), .rebuilt)
        }
        return (try install(copy, isIPv4: isIPv4), .copied(changes.count))
    }

    private mutating func install(_ trie: FeedTrie?, isIPv4: Bool) throws(BPFError) -> Int {
        let slot = UInt32(isIPv4 ? FEED_TRIE_IPV4 : FEED_TRIE_IPV6)
        if let trie {
            try trie.map.install(into: feeds, slot: slot)
        } else {
            try feeds.clear(slot: slot)
        }
        tries[isIPv4] = trie
        let hadFeeds = feedFamilies.contains(slot)
        if trie == nil { feedFamilies.remove(slot) } else { feedFamilies.insert(slot) }
        if hadFeeds != (trie != nil) || !isCommitted { try commit() }
        return trie?.bytes ?? 0
    }

    /// Packets and bytes whose source a feed's prefix covered, by the feed's number; since this table was made.
    package func hits(ofFeed number: UInt8) throws(BPFError) -> ShieldCount {
        ShieldCount(try feedHits.valuesPerCPU(for: UInt32(number)) ?? [])
    }

    /// A counter of `prefilter_metrics_map`.
    package func count(_ index: Int) throws(BPFError) -> ShieldCount {
        ShieldCount(try metrics.valuesPerCPU(for: UInt32(index)) ?? [])
    }

    /// So many drops of each reason may be told by each CPU from now on.
    package func grantEvents(_ count: Int) {
        for offset in stride(from: 0, to: samples.byteCount, by: samples.elementStride) {
            samples.storeReleasing(UInt32(clamping: count), at: offset)
        }
    }

    // MARK: - Blocks

    /// Blocks a source or a /24 or /64 from now on for a time; one that is there is made longer or shorter.
    ///
    /// `cause`: for people; what is behind 95 bytes of it is cut off. `closesFailsafes`: failsafe ports too. `E2BIG` if the
    /// table is full: nothing is forgotten for it.
    package mutating func block(
        _ prefix: CIDR, for duration: Duration, cause: String = "", closesFailsafes: Bool = false
    ) throws(BPFError) {
        guard let key = prefilter_block_key(prefix) else {
            throw BPFError(
                errno: EINVAL, operation: "block \(prefix)",
                remedy: "blocks are of single addresses, of /24 and of /64; longer lists are feeds")
        }
        let old = try blockTable.value(for: key)
        let now = try clock.now()
        var block = prefilter_block()
        block.expires = now &+ UInt64(clamping: Int64(duration / .nanoseconds(1)))
        block.since = now
        if let old, old.expires > now {
            (block.packets, block.bytes, block.since) = (old.packets, old.bytes, old.since)
        }
        block.setCause(cause)
        if closesFailsafes { block.failsafes = UInt8(PREFILTER_CLOSES_FAILSAFES) }
        try blockTable.update(key, to: block)
        try commit()
    }

    /// False if it was not blocked.
    package mutating func unblock(_ prefix: CIDR) throws(BPFError) -> Bool {
        guard let key = prefilter_block_key(prefix), try blockTable.remove(key) else { return false }
        try commit()
        return true
    }

    /// Those that have not ended.
    package func blocks() throws(BPFError) -> [ShieldBlock] {
        let now = try clock.now()
        var found: [ShieldBlock] = []
        try blockTable.forEach { key, block in
            guard block.expires > now else { return }
            found.append(
                ShieldBlock(
                    prefix: CIDR(key), remaining: .nanoseconds(Int64(clamping: block.expires - now)),
                    age: .nanoseconds(Int64(clamping: now &- block.since)),
                    count: ShieldCount(packets: block.packets, bytes: block.bytes), cause: block.causeText,
                    closesFailsafes: block.failsafes == UInt8(PREFILTER_CLOSES_FAILSAFES)))
        }
        return found.sorted { $0.prefix < $1.prefix }
    }

    /// Gives the room of ended blocks back; returns how many.
    @discardableResult
    package mutating func removeEndedBlocks() throws(BPFError) -> Int {
        let now = try clock.now()
        var ended: [prefilter_block_key] = []
        try blockTable.forEach { key, block in if block.expires <= now { ended.append(key) } }
        guard !ended.isEmpty else { return 0 }
        try blockTable.remove(ended)
        try commit()
        return ended.count
    }

    private func blockKinds() throws(BPFError) -> (addresses: Bool, networks: Bool) {
        var addresses = false, networks = false
        try blockTable.forEach { key, _ in
            let isAddress = key.length == (key.is_ipv4 != 0 ? 32 : 128)
            if isAddress { addresses = true } else { networks = true }
        }
        return (addresses, networks)
    }
}

/// Packets and bytes.
package struct ShieldCount: Hashable, Sendable {
    package var packets: UInt64
    package var bytes: UInt64

    package init(packets: UInt64 = 0, bytes: UInt64 = 0) {
        self.packets = packets
        self.bytes = bytes
    }

    fileprivate init(_ values: [metric]) {
        packets = values.reduce(0) { $0 &+ $1.packets }
        bytes = values.reduce(0) { $0 &+ $1.bytes }
    }
}

/// A source that is shut out for a time.
package struct ShieldBlock: Hashable, Sendable {
    /// Prefix lengths that can be blocked: a net and a single address.
    package static func lengths(isIPv4: Bool) -> [Int] { isIPv4 ? [24, 32] : [64, 128] }

    package var prefix: CIDR
    package var remaining: Duration
    /// Since it was blocked; blocks made longer before they ended count as one.
    package var age: Duration
    /// What it has sent since.
    package var count: ShieldCount
    /// Why, for people; 95 bytes of UTF-8 at most.
    package var cause: String
    /// Failsafe ports are closed to it too.
    package var closesFailsafes = false
}

extension prefilter_block {
    fileprivate mutating func setCause(_ text: String) {
        unsafe withUnsafeMutableBytes(of: &cause) { bytes in
            var length = 0
            for character in text {
                let utf8 = character.utf8
                guard length + utf8.count <= bytes.count else { break }
                for byte in utf8 {
                    unsafe bytes[length] = byte
                    length += 1
                }
            }
        }
    }

    fileprivate var causeText: String {
        var cause = cause
        return unsafe withUnsafeBytes(of: &cause) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

extension prefilter_block_key {
    fileprivate init?(_ prefix: CIDR) {
        guard ShieldBlock.lengths(isIPv4: prefix.isIPv4).contains(prefix.length) else { return nil }
        let place = RangePrefix(prefix, value: 0)
        self.init(hi: place.high, lo: place.low, length: UInt32(prefix.length), is_ipv4: prefix.isIPv4 ? 1 : 0)
    }
}

extension CIDR {
    fileprivate init(_ key: prefilter_block_key) {
        let address =
            key.is_ipv4 != 0 ? IPAddress(v4: UInt32(key.hi >> 32)) : IPAddress(high: key.hi, low: key.lo)
        self.init(address, length: Int(key.length))
    }
}
