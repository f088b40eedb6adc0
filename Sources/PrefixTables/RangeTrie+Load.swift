// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

extension RangeTrie {
    /// Fills an empty trie.
    ///
    /// Of prefixes that are there twice the last one counts.
    ///
    /// `prefixes` come back sorted and without repetitions. Throws if the memory is too small; the trie is useless then.
    package func load(_ prefixes: inout [RangePrefix]) throws(RangeTrieError) {
        RangeTrie.normalize(&prefixes)
        allocator.begin()
        var start = 0
        while start < prefixes.count {
            let first = prefixes[start]
            if first.length <= 16 {
                paintRoot(first)
                start += 1
                continue
            }
            var end = start + 1
            while end < prefixes.count, prefixes[end].rootSlot == first.rootSlot { end += 1 }
            let block = build(prefixes, start..<end, level: 1)
            let value = memory.load(UInt32.self, 0, 4 * first.rootSlot) & 255
            memory.store(block << 8 | value, 0, 4 * first.rootSlot)
            start = end
        }
        let isFull = allocator.isFull
        allocator.begin()
        guard !isFull else { throw .full(capacity: memory.chunkCount * RangeMemory.chunkBytes) }
    }

    /// Sorts, and keeps the last of those at one place.
    package static func normalize(_ prefixes: inout [RangePrefix]) {
        let isSorted = zip(prefixes, prefixes.dropFirst()).allSatisfy { RangePrefix.precedes($0, $1) }
        guard !isSorted else { return }
        prefixes.sortByAddress(RangePrefix.precedes)
        var count = 0
        for prefix in prefixes {
            if count > 0, prefixes[count - 1].isSamePlace(as: prefix) { count -= 1 }
            prefixes[count] = prefix
            count += 1
        }
        prefixes.removeLast(prefixes.count - count)
    }

    /// Sorted input: a covering prefix comes first, so later ones may simply overwrite.
    private func paintRoot(_ prefix: RangePrefix) {
        for slot in prefix.rootSlot..<(prefix.rootSlot + 1 << (16 - prefix.bits)) {
            rootLengths[slot] = prefix.length
            memory.store(UInt32(prefix.value), 0, 4 * slot)
        }
    }

    /// The subtree of sorted, distinct prefixes that share all bits above `level` and reach into it.
    func build(_ sorted: [RangePrefix], _ range: Range<Int>, level above: Int) -> UInt32 {
        let first = sorted[range.lowerBound]
        if range.count == 1 { return newTail(first) }
        // If one ends before the paths part, the first one does, and is the shortest.
        let level = min(first.sharedBits(sorted[range.upperBound - 1]), first.bits - 1) / 16
        let endBit = 16 * (level + 1)
        var runs = scratch[level]
        scratch[level] = []
        runs.removeAll(keepingCapacity: true)
        // Prefixes around the slot in hand, innermost last, with the slot after their last.
        var open = [RangeRun(start: 1 << 16)]
        runs.add(RangeRun(start: 0))
        var index = range.lowerBound
        while index < range.upperBound {
            let prefix = sorted[index]
            let slot = prefix.slot(level)
            closeRuns(&runs, &open, before: slot)
            var end = index + 1
            if prefix.bits <= endBit {
                open.append(
                    RangeRun(start: slot + 1 << (endBit - prefix.bits), value: prefix.value, length: prefix.length))
                runs.add(RangeRun(start: slot, value: prefix.value, length: prefix.length))
            } else {
                while end < range.upperBound, prefix.sharedBits(sorted[end]) >= endBit { end += 1 }
                let around = open[open.count - 1]
                let block = build(sorted, index..<end, level: level + 1)
                runs.add(RangeRun(start: slot, value: around.value, length: around.length, reference: block))
                runs.add(RangeRun(start: slot + 1, value: around.value, length: around.length))
            }
            index = end
        }
        closeRuns(&runs, &open, before: 1 << 16)
        let node = newNode(runs, level: level)
        scratch[level] = runs
        return level > above ? newSkip(first, length: 16 * level, to: node) : node
    }

    /// What was open and ends before a slot gives way to what is around it.
    private func closeRuns(_ runs: inout [RangeRun], _ open: inout [RangeRun], before slot: Int) {
        while open.count > 1, open[open.count - 1].start <= slot {
            let start = open.removeLast().start
            let around = open[open.count - 1]
            runs.add(RangeRun(start: start, value: around.value, length: around.length))
        }
    }
}
