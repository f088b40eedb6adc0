// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// A prefix in a sparse node.
struct RangeItem {
    var start: Int
    /// Bits of the node's slots behind the prefix.
    var free = 0
    var value: UInt8 = 0
    var reference: UInt32 = 0

    /// What hangs below a slot; 0: nothing.
    func reference(at slot: Int) -> UInt32 { slot == start ? reference : 0 }

    /// What holds for a slot at or behind the start, or before it if there is no item so low.
    func run(at slot: Int) -> RangeRun {
        guard slot >= start, (slot - start) >> free == 0 else { return RangeRun(start: slot) }
        return RangeRun(start: slot, value: value, reference: reference)
    }
}

/// What a sparse node holds.
struct RangeItems {
    private(set) var items: [RangeItem] = []
    let head: RangeHead

    /// Nil if the runs do not come from prefixes that keep apart, or are so many that a change would take long.
    init?(_ runs: [RangeRun], level: Int) {
        let endBit = 16 * (level + 1)
        guard runs.count <= 4096 else { return nil }
        items.reserveCapacity(runs.count)
        for (index, run) in runs.enumerated() where run.value != 0 || run.reference != 0 {
            let end = index + 1 < runs.count ? runs[index + 1].start : 1 << 16
            let free = run.value == 0 ? 0 : endBit - Int(run.length)
            let size = 1 << max(free, 0)
            guard (0..<16).contains(free), run.start % size == 0, (end - run.start) % size == 0 else { return nil }
            if run.reference != 0 {
                guard end == run.start + 1, free == 0 else { return nil }
            }
            for start in stride(from: run.start, to: end, by: size) {
                items.append(RangeItem(start: start, free: free, value: run.value, reference: run.reference))
            }
            guard items.count <= 4096 else { return nil }
        }
        guard let first = items.first else { return nil }
        let tag =
            items.contains { $0.reference != 0 }
            ? RANGE_SPARSE_LINKS : items.allSatisfy { $0.value == first.value } ? RANGE_SPARSE_ONE : RANGE_SPARSE_VALUES
        head = RangeHead(
            items: items.count, level: level, tag: Int(tag), isWide: items.contains { $0.free != 0 },
            value: tag == RANGE_SPARSE_ONE ? first.value : 0)
    }
}

extension RangeTrie {
    /// Writes a sparse node; 0 if there is no room.
    func newNode(_ sparse: RangeItems) -> UInt32 {
        let head = sparse.head
        let node = allocator.allocate(head.units)
        guard node != 0 else { return 0 }
        memory.store(head.word, node, 0)
        let (starts, entries) = (head.starts, head.entries)
        for (index, item) in sparse.items.enumerated() {
            memory.store(UInt16(item.start), node, starts + 2 * index)
            switch head.entryBytes {
            case 1: memory.store(UInt8(item.free), node, entries + index)
            case 2: memory.store(UInt16(item.value) | UInt16(item.free) << 8, node, entries + 2 * index)
            case 4:
                let upper = item.reference != 0 ? item.reference : UInt32(item.free)
                memory.store(upper << 8 | UInt32(item.value), node, entries + 4 * index)
            default: break
            }
        }
        writeIndex(node, head)
        return node
    }

    func item(_ node: UInt32, _ head: RangeHead, _ index: Int) -> RangeItem {
        var item = RangeItem(start: Int(memory.load(UInt16.self, node, head.starts + 2 * index)))
        switch head.entryBytes {
        case 2:
            let word = memory.load(UInt16.self, node, head.entries + 2 * index)
            item.value = UInt8(truncatingIfNeeded: word)
            item.free = Int(word >> 8)
        case 4:
            let word = memory.load(UInt32.self, node, head.entries + 4 * index)
            item.value = UInt8(truncatingIfNeeded: word)
            if word >> 8 < RANGE_FREE_COUNT { item.free = Int(word >> 8) } else { item.reference = word >> 8 }
        default:
            item.value = head.value
            item.free = head.isWide ? Int(memory.load(UInt8.self, node, head.entries + index)) : 0
        }
        return item
    }

    /// The runs that a sparse node stands for.
    func runs(_ node: UInt32, _ head: RangeHead) -> [RangeRun] {
        let endBit = 16 * (head.level + 1)
        var runs: [RangeRun] = []
        runs.reserveCapacity(2 * head.runs + 1)
        runs.add(RangeRun(start: 0))
        for index in 0..<head.runs {
            let item = item(node, head, index)
            runs.add(
                RangeRun(
                    start: item.start, value: item.value, length: item.value == 0 ? 0 : UInt8(endBit - item.free),
                    reference: item.reference))
            runs.add(RangeRun(start: item.start + 1 << item.free))
        }
        return runs
    }
}
