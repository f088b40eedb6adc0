// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// What the first word of a block says.
struct RangeHead {
    let word: UInt64

    init(word: UInt64) { self.word = word }

    /// Of a node.
    ///
    /// About twelve runs to a part of the index: four halvings in one or two cache lines.
    init(runs: Int, level: Int, hasLinks: Bool) {
        var k = 0
        while k < 8, runs >> k > 12 { k += 1 }
        let tag = hasLinks ? RANGE_LINKS : RANGE_VALUES
        word = UInt64(tag) << 56 | UInt64(level) << 52 | UInt64(k) << 48 | UInt64(runs)
    }

    /// Of a sparse node with `items` items; `isWide`: some of them have free bits.
    init(items: Int, level: Int, tag: Int, isWide: Bool, value: UInt8) {
        var k = 0
        // Up to 28 starts are in the head's cache line: an index would be one more thing to wait for.
        while k < 8, items >> k > 28 { k += 1 }
        word =
            UInt64(tag) << 56 | UInt64(isWide ? 1 : 0) << 55 | UInt64(level) << 52 | UInt64(k) << 48
            | UInt64(value) << 24 | UInt64(items)
    }

    var tag: Int { Int(word >> 56) }
    /// Of a node.
    var level: Int { Int(word >> 52) & 7 }
    /// Of a sparse node.
    var isWide: Bool { word >> 55 & 1 != 0 }
    /// Of a `RANGE_SPARSE_ONE` node.
    var value: UInt8 { UInt8(truncatingIfNeeded: word >> 24) }
    /// Of a node: the index has 2^k parts.
    var k: Int { Int(word >> 48) & 15 }
    /// Of a node.
    var runs: Int { Int(word & 0x1ffff) }
    /// Of a tail or skip.
    var length: Int { Int(word >> 48) & 255 }
    /// Of a tail or skip.
    var link: UInt32 { UInt32(truncatingIfNeeded: word) }
    var isNode: Bool { tag >= Int(RANGE_VALUES) }

    var hasLinks: Bool { tag == Int(RANGE_LINKS) }

    var isSparse: Bool { tag >= Int(RANGE_SPARSE_ONE) }

    // Byte offsets of a node's parts.
    var starts: Int { 8 + (k == 0 ? 0 : 2 * ((1 << k) + 1)) }
    var entries: Int {
        let end = starts + 2 * runs
        switch tag {
        case Int(RANGE_SPARSE_ONE), Int(RANGE_SPARSE_VALUES): return end
        default: return (end + 7) & ~7
        }
    }
    /// Of a node with runs.
    var lengths: Int { entries + entryBytes * runs }
    var entryBytes: Int {
        switch tag {
        case Int(RANGE_SPARSE_ONE): isWide ? 1 : 0
        case Int(RANGE_SPARSE_VALUES): 2
        case Int(RANGE_LINKS), Int(RANGE_SPARSE_LINKS): 4
        default: 1
        }
    }
    var units: Int { (entries + (entryBytes + (isSparse ? 0 : 1)) * runs + 7) / 8 }
}

/// Reading and writing single blocks.
extension RangeTrie {
    func head(_ block: UInt32) -> RangeHead { RangeHead(word: memory.load(UInt64.self, block, 0)) }

    func units(of head: RangeHead) -> Int { head.isNode ? head.units : leafUnits }

    /// The prefix that a tail or skip holds, with the class of a tail.
    func leafPrefix(_ block: UInt32) -> RangePrefix {
        let head = head(block)
        return RangePrefix(
            high: memory.load(UInt64.self, block, 8), low: isIPv4 ? 0 : memory.load(UInt64.self, block, 16),
            length: head.length, value: UInt8(truncatingIfNeeded: head.link))
    }

    func newTail(_ prefix: RangePrefix) -> UInt32 {
        newLeaf(Int(RANGE_TAIL), prefix, link: UInt32(prefix.value))
    }

    /// The first `length` bits of `path`, below which a block hangs.
    func newSkip(_ path: RangePrefix, length: Int, to block: UInt32) -> UInt32 {
        newLeaf(Int(RANGE_SKIP), path.truncated(to: length), link: block << 8)
    }

    private func newLeaf(_ tag: Int, _ prefix: RangePrefix, link: UInt32) -> UInt32 {
        let block = allocator.allocate(leafUnits)
        guard block != 0 else { return 0 }
        memory.store(UInt64(tag) << 56 | UInt64(prefix.length) << 48 | UInt64(link), block, 0)
        memory.store(prefix.high, block, 8)
        if !isIPv4 { memory.store(prefix.low, block, 16) }
        return block
    }

    /// Writes a node; 0 if there is no room.
    func newNode(_ runs: [RangeRun], level: Int) -> UInt32 {
        let head = RangeHead(runs: runs.count, level: level, hasLinks: runs.contains { $0.reference != 0 })
        if let sparse = RangeItems(runs, level: level), sparse.head.units <= head.units { return newNode(sparse) }
        let node = allocator.allocate(head.units)
        guard node != 0 else { return 0 }
        memory.store(head.word, node, 0)
        write(runs, to: node, head, at: 0)
        writeIndex(node, head)
        return node
    }

    func write(_ runs: [RangeRun], to node: UInt32, _ head: RangeHead, at first: Int) {
        let (starts, entries, lengths) = (head.starts, head.entries, head.lengths)
        for (index, run) in zip(first..., runs) {
            memory.store(UInt16(run.start), node, starts + 2 * index)
            memory.store(run.length, node, lengths + index)
            if head.hasLinks {
                memory.store(run.reference << 8 | UInt32(run.value), node, entries + 4 * index)
            } else {
                memory.store(run.value, node, entries + index)
            }
        }
    }

    /// For each part of the node the run that holds its first slot; the starts are there already.
    func writeIndex(_ node: UInt32, _ head: RangeHead) {
        guard head.k > 0 else { return }
        let starts = head.starts
        var run = 0
        for part in 0...(1 << head.k) {
            let slot = part << (16 - head.k)
            while run + 1 < head.runs, memory.load(UInt16.self, node, starts + 2 * (run + 1)) <= slot { run += 1 }
            memory.store(UInt16(run), node, 8 + 2 * part)
        }
    }

    func run(_ node: UInt32, _ head: RangeHead, _ index: Int) -> RangeRun {
        let start = Int(memory.load(UInt16.self, node, head.starts + 2 * index))
        let length = memory.load(UInt8.self, node, head.lengths + index)
        guard head.hasLinks else {
            return RangeRun(start: start, value: memory.load(UInt8.self, node, head.entries + index), length: length)
        }
        let link = memory.load(UInt32.self, node, head.entries + 4 * index)
        return RangeRun(
            start: start, value: UInt8(truncatingIfNeeded: link), length: length, reference: link >> 8)
    }

    /// Index of the run that holds a slot.
    func runIndex(_ node: UInt32, _ head: RangeHead, slot: Int) -> Int {
        var (low, high) = (0, head.runs)
        while high - low > 1 {
            let middle = (low + high) / 2
            if Int(memory.load(UInt16.self, node, head.starts + 2 * middle)) <= slot {
                low = middle
            } else {
                high = middle
            }
        }
        return low
    }
}

extension [RangeRun] {
    /// A run at the start of the last replaces it; one that changes nothing is left out.
    mutating func add(_ run: RangeRun) {
        guard run.start < 1 << 16 else { return }
        if let last, last.start == run.start { removeLast() }
        if let last, last.value == run.value, last.length == run.length, last.reference == 0, run.reference == 0 {
            return
        }
        append(run)
    }
}
