// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Who was blocked how often: bounded, the oldest go first.
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
        guard let entry = entries[prefix], entry.last &+ memory > now else { return 0 }
        return entry.count
    }

    mutating func note(_ prefix: CIDR, count: Int, until: UInt64) {
        entries[prefix] = Entry(count: count, last: until)
        guard entries.count > Offenders.capacity else { return }
        let excess = Offenders.capacity / 16
        for (prefix, _) in entries.sorted(by: { ($0.value.last, $0.key) < ($1.value.last, $1.key) }).prefix(excess) {
            entries[prefix] = nil
        }
        forgotten += excess
    }

    /// It was a mistake: as if it had not been.
    mutating func forgive(_ prefix: CIDR) { entries[prefix] = nil }

    mutating func shift(_ moved: (UInt64) -> UInt64) {
        for prefix in Array(entries.keys) {
            if let last = entries[prefix]?.last { entries[prefix]?.last = moved(last) }
        }
    }
}
