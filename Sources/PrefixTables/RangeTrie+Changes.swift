// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import Synchronization

/// Changing one prefix while lookups run: what changes is built aside and shown by one store of a link.
extension RangeTrie {
    /// Where the link to the block in hand is kept.
    private struct Place {
        var block: UInt32
        var offset: Int
        /// Of the block in hand.
        var level: Int
    }

    /// Gives a prefix its class, or takes it away with `value` 0; then `cover` is the longest prefix left around it.
    ///
    /// Throws if there is no room, and nothing has changed then: `reclaim`, or load anew. Old blocks are kept until
    /// `reclaim`. Nothing happens when a prefix is removed that is not there.
    package func set(_ prefix: RangePrefix, coveredBy cover: RangePrefix? = nil) throws(RangeTrieError) {
        let now = prefix.value != 0 ? prefix : cover ?? .none
        guard prefix.length > 16 else { return setRoot(prefix, now) }
        allocator.begin()
        var place = Place(block: 0, offset: 4 * prefix.rootSlot, level: 1)
        while true {
            let block = link(place) >> 8
            if block != 0 {
                if let next = descend(prefix, from: block, level: place.level) {
                    place = next
                    continue
                }
            }
            guard let (new, keepsOld) = replacement(for: block, prefix, now, level: place.level) else { return }
            guard !allocator.isFull else {
                allocator.abandon()
                throw .full(capacity: memory.chunkCount * RangeMemory.chunkBytes)
            }
            if block != 0, !keepsOld { allocator.retire(block, units: units(of: head(block))) }
            // Everything in the new block is written before the link shows it.
            atomicMemoryFence(ordering: .releasing)
            memory.store(new << 8 | link(place) & 255, place.block, place.offset)
            return
        }
    }

    private func link(_ place: Place) -> UInt32 { memory.load(UInt32.self, place.block, place.offset) }

    private func setRoot(_ prefix: RangePrefix, _ now: RangePrefix) {
        for slot in prefix.rootSlot..<(prefix.rootSlot + 1 << (16 - prefix.bits)) {
            guard rootLengths[slot] <= prefix.length else { continue }
            rootLengths[slot] = now.length
            let link = memory.load(UInt32.self, 0, 4 * slot)
            memory.store(link & ~255 | UInt32(now.value), 0, 4 * slot)
        }
    }

    /// The link below a block if the change belongs there.
    private func descend(_ prefix: RangePrefix, from block: UInt32, level: Int) -> Place? {
        let head = head(block)
        switch head.tag {
        case Int(RANGE_TAIL): return nil
        case Int(RANGE_SKIP):
            guard prefix.bits > head.length, prefix.sharedBits(leafPrefix(block)) >= head.length else { return nil }
            return Place(block: block, offset: 0, level: head.length / 16)
        default:
            guard prefix.bits > 16 * (level + 1), head.entryBytes == 4 else { return nil }
            let index = runIndex(block, head, slot: prefix.slot(level))
            let below =
                head.isSparse
                ? item(block, head, index).reference(at: prefix.slot(level)) : run(block, head, index).reference
            guard below != 0 else { return nil }
            return Place(block: block, offset: head.entries + 4 * index, level: level + 1)
        }
    }

    /// What is to hang in place of a block; nil if there is nothing to change.
    ///
    /// `keepsOld`: the block lives on in it.
    private func replacement(for block: UInt32, _ prefix: RangePrefix, _ now: RangePrefix, level: Int)
        -> (block: UInt32, keepsOld: Bool)?
    {
        let isRemoval = prefix.value == 0
        guard block != 0 else { return isRemoval ? nil : (newTail(prefix), false) }
        let head = head(block)
        if head.tag == Int(RANGE_TAIL), leafPrefix(block).isSamePlace(as: prefix) {
            return (isRemoval ? 0 : newTail(prefix), false)
        }
        guard head.isNode else { return isRemoval ? nil : split(block, head, prefix, level: level) }
        var below: UInt32 = 0
        if prefix.bits > 16 * (level + 1) {
            if isRemoval { return nil }
            below = newTail(prefix)
        }
        return (changed(block, head, prefix, now, below: below), false)
    }

    /// A node like this one, but with `prefix` ruled by `now`; or with a block hung into the slot of `prefix`.
    ///
    /// Only the runs that the prefix touches are looked at, and one on either side, which may merge with them.
    private func changed(_ node: UInt32, _ head: RangeHead, _ prefix: RangePrefix, _ now: RangePrefix, below: UInt32)
        -> UInt32
    {
        if head.isSparse {
            return newNode(
                painted(runs(node, head), end: 1 << 16, prefix, now, level: head.level, below: below), level: head.level
            )
        }
        let slots = prefix.slots(inNodeAt: head.level)
        let from = max(runIndex(node, head, slot: slots.lowerBound) - 1, 0)
        let to = min(runIndex(node, head, slot: slots.upperBound - 1) + 2, head.runs)
        let end = to < head.runs ? run(node, head, to).start : 1 << 16
        let runs = painted(
            (from..<to).map { run(node, head, $0) }, end: end, prefix, now, level: head.level, below: below)
        // The kind of entries follows what is written; others than those in hand may have had links.
        let hasLinks = head.hasLinks || below != 0
        let new = RangeHead(runs: head.runs - (to - from) + runs.count, level: head.level, hasLinks: hasLinks)
        if hasLinks != head.hasLinks {
            let before = (0..<from).map { run(node, head, $0) }, after = (to..<head.runs).map { run(node, head, $0) }
            return newNode(before + runs + after, level: head.level)
        }
        let copy = allocator.allocate(new.units)
        guard copy != 0 else { return 0 }
        memory.store(new.word, copy, 0)
        let widths = [
            (head.starts, new.starts, 2), (head.entries, new.entries, head.entryBytes), (head.lengths, new.lengths, 1),
        ]
        for (old, fresh, width) in widths {
            memory.copy(node, old..<(old + width * from), to: copy, fresh)
            memory.copy(
                node, (old + width * to)..<(old + width * head.runs), to: copy, fresh + width * (from + runs.count))
        }
        write(runs, to: copy, new, at: from)
        if new.k == head.k {
            moveIndex(node, head, to: copy, replaced: from..<to, by: runs)
        } else {
            writeIndex(copy, new)
        }
        return copy
    }

    /// The index of a node after some of its runs were replaced: it differs there, and by the number of runs behind.
    private func moveIndex(
        _ node: UInt32, _ head: RangeHead, to copy: UInt32, replaced: Range<Int>, by runs: [RangeRun]
    ) {
        guard head.k > 0 else { return }
        for part in 0...(1 << head.k) {
            var run = Int(memory.load(UInt16.self, node, 8 + 2 * part))
            if run >= replaced.upperBound {
                run += runs.count - replaced.count
            } else if run >= replaced.lowerBound {
                let slot = part << (16 - head.k)
                run = replaced.lowerBound + (runs.lastIndex { $0.start <= slot } ?? 0)
            }
            memory.store(UInt16(run), copy, 8 + 2 * part)
        }
    }

    /// Runs that reach up to slot `end`, with `prefix` ruled by `now`; or with a block hung into the slot of `prefix`.
    private func painted(
        _ old: [RangeRun], end: Int, _ prefix: RangePrefix, _ now: RangePrefix, level: Int, below: UInt32
    ) -> [RangeRun] {
        let slots = prefix.slots(inNodeAt: level)
        // What ends above this level is said by a level above.
        let now = now.bits <= 16 * level ? .none : now
        var runs: [RangeRun] = []
        for (index, run) in old.enumerated() {
            let end = index + 1 < old.count ? old[index + 1].start : end
            let isOutside = run.start >= slots.upperBound || end <= slots.lowerBound
            if isOutside || run.start < slots.lowerBound { runs.add(run) }
            if isOutside { continue }
            var part = run
            part.start = max(part.start, slots.lowerBound)
            if below != 0 {
                part.reference = below
            } else if part.length <= prefix.length {
                part.value = now.value
                part.length = now.length
            }
            runs.add(part)
            if end > slots.upperBound {
                part = run
                part.start = slots.upperBound
                runs.add(part)
            }
        }
        return runs
    }

    /// What replaces a tail or skip that `prefix` does not pass through.
    private func split(_ block: UInt32, _ head: RangeHead, _ prefix: RangePrefix, level: Int)
        -> (block: UInt32, keepsOld: Bool)
    {
        let path = leafPrefix(block)
        if head.tag == Int(RANGE_TAIL) {
            let pair = RangePrefix.precedes(path, prefix) ? [path, prefix] : [prefix, path]
            return (build(pair, 0..<2, level: level), false)
        }
        // A new node where the paths part or the prefix ends; the old subtree hangs in one of its slots.
        let fork = min(path.sharedBits(prefix), prefix.bits - 1) / 16
        let keepsOld = 16 * (fork + 1) != head.length
        let slot = path.slot(fork)
        var runs: [RangeRun] = []
        runs.add(RangeRun(start: 0))
        runs.add(RangeRun(start: slot, reference: keepsOld ? block : head.link >> 8))
        runs.add(RangeRun(start: slot + 1))
        let below = prefix.bits > 16 * (fork + 1) ? newTail(prefix) : 0
        let node = newNode(
            painted(runs, end: 1 << 16, prefix, prefix, level: fork, below: below), level: fork)
        return (fork > level ? newSkip(prefix, length: 16 * fork, to: node) : node, keepsOld)
    }
}
