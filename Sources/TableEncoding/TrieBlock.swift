// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// One run of a node: the slots from `start` to the next run's share one entry.
struct TrieRun: Hashable {
    var start: Int
    var value: UInt32 = 0
    var reference: UInt32 = 0
    /// Bits below the node's first that the prefix behind `value` has (1...8); 0: no prefix.
    var length: UInt8 = 0

    func continues(_ other: TrieRun) -> Bool {
        value == other.value && reference == other.reference && length == other.length
    }
}

/// The first word of a block.
struct TrieHead {
    let word: UInt64

    init(word: UInt64) { self.word = word }

    /// A tail (`payload`: value) or skip (`payload`: reference).
    init(tag: Int, length: Int, payload: UInt32) {
        word = UInt64(tag) << 56 | UInt64(length) << 48 | UInt64(payload)
    }

    var tag: Int { Int(word >> 56) }
    /// Tail and skip: length in bits.
    ///
    /// Node: the address byte it reads.
    var length: Int { Int(word >> 48) & 255 }
    var payload: UInt32 { UInt32(truncatingIfNeeded: word) }
    /// Node: bits set in the map's words before word `index` (0...3).
    func rank(_ index: Int) -> Int { index == 0 ? 0 : Int(word >> UInt64(16 * (index - 1))) & 0xffff }
}

/// Hands out blocks of the arena: exact lists of freed sizes before fresh space, no block across a chunk border.
struct TrieAllocator {
    /// Room of the arena in units.
    let limit: Int
    private(set) var next = Int(IPCACHE_FIRST_FREE)
    private var free: [[UInt32]] = Array(repeating: [], count: TrieAllocator.sizeMax + 1)

    /// The largest node: head, map, 256 entries, 256 lengths.
    static let sizeMax = roundUp(5 + 256 + 32)
    /// What one change of a prefix allocates at most: a node rewritten or split, with a skip and two tails.
    static let unitsPerChangeMax = sizeMax + 32

    init(limit: Int) { self.limit = limit }

    /// Fresh units that are certainly usable, chunk borders taken into account.
    var freshUnits: Int {
        let left = limit - next
        return left - (left / Int(IPCACHE_CHUNK_UNITS) + 1) * TrieAllocator.sizeMax
    }

    /// Small blocks keep their size, larger ones are rounded so that a growing node can stay in place.
    static func roundUp(_ units: Int) -> Int {
        units <= 8 ? units : units <= 32 ? (units + 3) & ~3 : (units + 15) & ~15
    }

    /// A block of at least `units`.
    ///
    /// Beyond the limit it counts on, so that the need is known, and hands out the same block again and again: an image
    /// for which `isOverfull` holds is only fit to be thrown away.
    mutating func allocate(_ units: Int) -> UInt32 {
        let size = TrieAllocator.roundUp(units)
        if let block = free[size].popLast() { return block }
        let chunk = Int(IPCACHE_CHUNK_UNITS)
        var block = next
        if block % chunk + size > chunk { block = (block / chunk + 1) * chunk }
        next = block + size
        return next <= limit ? UInt32(block) : UInt32(IPCACHE_FIRST_FREE)
    }

    var isOverfull: Bool { next > limit }

    mutating func release(_ block: UInt32, units: Int) {
        free[TrieAllocator.roundUp(units)].append(block)
    }
}
