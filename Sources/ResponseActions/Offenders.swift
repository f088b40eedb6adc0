// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Who was blocked how often: bounded, the oldest go first.
///
/// A /64 of IPv6 is one: whoever has an address of it has them all.
struct Offenders: Hashable, Sendable {
    private struct Entry: Hashable, Sendable {
        var count: Int
        var last: UInt64
    }

    private var entries: [CIDR: Entry] = [:]
    private(set) var forgotten = 0

    static let capacity = 16_384

    /// How often before, within `memory`.
    func count(_ prefix: CIDR, now: UInt64, memory: UInt64) -> Int {
        guard let entry = entries[Offenders.whole(prefix)], entry.last &+ memory > now else { return 0 }
        return entry.count
    }

    mutating func note(_ prefix: CIDR, count: Int, until: UInt64) {
        entries[Offenders.whole(prefix)] = Entry(count: count, last: until)
        guard entries.count > Offenders.capacity else { return }
        let excess = Offenders.capacity / 16
        for (prefix, _) in entries.sorted(by: { ($0.value.last, $0.key) < ($1.value.last, $1.key) }).prefix(excess) {
            entries[prefix] = nil
        }
        forgotten += excess
    }

    /// A block is over: its memory begins now, unless it was forgiven meanwhile.
    mutating func extend(_ prefix: CIDR, count: Int, until: UInt64) {
        guard let entry = entries[Offenders.whole(prefix)] else { return }
        entries[Offenders.whole(prefix)] = Entry(count: max(entry.count, count), last: max(entry.last, until))
    }

    /// It was a mistake: as if it had not been.
    mutating func forgive(_ prefix: CIDR) { entries[Offenders.whole(prefix)] = nil }

    /// The prefix with what belongs to the same somebody.
    static func whole(_ prefix: CIDR) -> CIDR {
        prefix.isIPv4 || prefix.length <= 64 ? prefix : CIDR(prefix.address, length: 64)
    }

    mutating func shift(_ moved: (UInt64) -> UInt64) {
        for prefix in Array(entries.keys) {
            if let last = entries[prefix]?.last { entries[prefix]?.last = moved(last) }
        }
    }
}
