// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// Hands out blocks of a range trie and takes them back once no lookup can be reading them.
struct RangeAllocator {
    /// First unit never handed out; past the end when a load did not fit.
    private(set) var next = UInt32(RANGE_ROOT_SLOTS) / 2
    private var end: UInt32
    /// By size in units: blocks that may be handed out again.
    private var free: [Int: [UInt32]] = [:]
    /// Unlinked, but a lookup that began before may still be there.
    private(set) var retired: [(block: UInt32, units: Int)] = []
    private(set) var retiredUnits = 0
    /// Of the change in hand.
    private var taken: [(block: UInt32, units: Int)] = []
    /// True once something did not fit.
    private(set) var isFull = false

    init(chunkCount: Int) { end = UInt32(chunkCount) << UInt32(RANGE_CHUNK_SHIFT) }

    mutating func extend(toChunkCount count: Int) { end = UInt32(count) << UInt32(RANGE_CHUNK_SHIFT) }

    /// Sizes above 512 bytes are rounded to one of eight between two powers of two, so that a node that grows by a run
    /// finds what another has left.
    static func roundUp(_ units: Int) -> Int {
        guard units > 64 else { return units }
        let step = 1 << (Int.bitWidth - 1 - units.leadingZeroBitCount - 3)
        return (units + step - 1) & ~(step - 1)
    }

    /// 0 if there is no room.
    mutating func allocate(_ units: Int) -> UInt32 {
        let units = RangeAllocator.roundUp(units)
        if let block = free[units]?.popLast() {
            taken.append((block, units))
            return block
        }
        var block = next
        // What fits into a cache line lies in one, and what does not begins one; tails are too many for that.
        if units > 3, Int(block & 7) + units > 8 { block = (block + 7) & ~7 }
        let inside = Int(block & (RANGE_CHUNK_UNITS - 1))
        if inside + units > RangeMemory.chunkUnits { block = (block | (RANGE_CHUNK_UNITS - 1)) + 1 }
        guard block < end else {
            isFull = true
            return 0
        }
        next = block + UInt32(units)
        taken.append((block, units))
        return block
    }

    mutating func retire(_ block: UInt32, units: Int) {
        retired.append((block, RangeAllocator.roundUp(units)))
        retiredUnits += RangeAllocator.roundUp(units)
    }

    /// Begins a change.
    mutating func begin() {
        taken.removeAll(keepingCapacity: true)
        isFull = false
    }

    /// Gives back what the change in hand took; none of it may have been linked.
    mutating func abandon() {
        for (block, units) in taken { free[units, default: []].append(block) }
        taken.removeAll(keepingCapacity: true)
    }

    /// To be called when a grace period has passed since the last change.
    mutating func reclaim() {
        for (block, units) in retired { free[units, default: []].append(block) }
        retired.removeAll(keepingCapacity: true)
        retiredUnits = 0
    }
}
