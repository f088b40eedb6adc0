// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// Reading and writing single blocks of the arena.
extension IPCacheTrie {
    static let leafUnits = 3

    func head(_ block: UInt32) -> TrieHead { TrieHead(word: units[Int(block)]) }

    /// The prefix a tail or skip holds.
    func leafPrefix(_ block: UInt32, isIPv4: Bool) -> TriePrefix {
        var prefix = TriePrefix(high: units[Int(block) + 1], low: units[Int(block) + 2], isIPv4: isIPv4)
        prefix.length = head(block).length
        return prefix
    }

    func newTail(_ prefix: TriePrefix, _ value: UInt32) -> UInt32 {
        newLeaf(TrieHead(tag: Int(IPCACHE_TAIL), length: prefix.length, payload: value), prefix)
    }

    /// `prefix` cut to `length` bits, below which `reference` hangs.
    func newSkip(_ prefix: TriePrefix, length: Int, to reference: UInt32) -> UInt32 {
        newLeaf(
            TrieHead(tag: Int(IPCACHE_SKIP), length: length, payload: reference), prefix.truncated(to: length))
    }

    private func newLeaf(_ head: TrieHead, _ prefix: TriePrefix) -> UInt32 {
        let block = allocator.allocate(IPCacheTrie.leafUnits)
        units[Int(block)] = head.word
        units[Int(block) + 1] = prefix.high
        units[Int(block) + 2] = prefix.low
        return block
    }

    /// Number of runs of a node.
    func runCount(_ node: UInt32) -> Int {
        head(node).rank(3) + units[Int(node) + 4].nonzeroBitCount
    }

    /// Units of a node with so many runs, the writer's lengths included.
    static func nodeUnits(runs: Int) -> Int { 5 + runs + (runs + 7) / 8 }

    /// Index of the run that holds a slot.
    func runIndex(_ node: UInt32, slot: Int) -> Int {
        let bits = units[Int(node) + 1 + slot >> 6] & (~0 >> UInt64(63 - slot & 63))
        return head(node).rank(slot >> 6) + bits.nonzeroBitCount - 1
    }

    /// The entry of a run: reference << 32 | value.
    func entryIndex(_ node: UInt32, run: Int) -> Int { Int(node) + 5 + run }

    /// All runs of a node, in order.
    func runs(of node: UInt32) -> [TrieRun] {
        let count = runCount(node)
        let lengths = Int(node) + 5 + count
        var runs: [TrieRun] = []
        runs.reserveCapacity(count + 2)
        for word in 0..<4 {
            var bits = units[Int(node) + 1 + word]
            while bits != 0 {
                let index = runs.count
                let entry = units[Int(node) + 5 + index]
                let length = UInt8(truncatingIfNeeded: units[lengths + index >> 3] >> UInt64(8 * (index & 7)))
                runs.append(
                    TrieRun(
                        start: 64 * word + bits.trailingZeroBitCount, value: UInt32(truncatingIfNeeded: entry),
                        reference: UInt32(entry >> 32), length: length))
                bits &= bits - 1
            }
        }
        return runs
    }

    /// Writes a node, in place of `old` if the size allows it.
    func writeNode(_ runs: [TrieRun], byte: Int, replacing old: UInt32 = 0) -> UInt32 {
        let size = IPCacheTrie.nodeUnits(runs: runs.count)
        var node = old
        if old != 0 {
            let oldSize = IPCacheTrie.nodeUnits(runs: runCount(old))
            if TrieAllocator.roundUp(oldSize) != TrieAllocator.roundUp(size) {
                allocator.release(old, units: oldSize)
                node = 0
            }
        }
        if node == 0 { node = allocator.allocate(size) }
        var map: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var lengths: UInt64 = 0
        for (index, run) in runs.enumerated() {
            let bit: UInt64 = 1 << UInt64(run.start & 63)
            switch run.start >> 6 {
            case 0: map.0 |= bit
            case 1: map.1 |= bit
            case 2: map.2 |= bit
            default: map.3 |= bit
            }
            write(UInt64(run.reference) << 32 | UInt64(run.value), at: Int(node) + 5 + index)
            lengths |= UInt64(run.length) << UInt64(8 * (index & 7))
            if index & 7 == 7 || index == runs.count - 1 {
                write(lengths, at: Int(node) + 5 + runs.count + index >> 3)
                lengths = 0
            }
        }
        let rank1 = map.0.nonzeroBitCount
        let rank2 = rank1 + map.1.nonzeroBitCount
        let rank3 = rank2 + map.2.nonzeroBitCount
        write(
            UInt64(IPCACHE_NODE) << 56 | UInt64(byte) << 48 | UInt64(rank3) << 32 | UInt64(rank2) << 16
                | UInt64(rank1), at: Int(node))
        write(map.0, at: Int(node) + 1)
        write(map.1, at: Int(node) + 2)
        write(map.2, at: Int(node) + 3)
        write(map.3, at: Int(node) + 4)
        return node
    }

    func releaseLeaf(_ block: UInt32) { allocator.release(block, units: IPCacheTrie.leafUnits) }

    func releaseNode(_ node: UInt32) {
        allocator.release(node, units: IPCacheTrie.nodeUnits(runs: runCount(node)))
    }

    /// Words that stay the same are left clean, so that they need not be copied.
    private func write(_ word: UInt64, at index: Int) {
        if units[index] != word { units[index] = word }
    }
}
