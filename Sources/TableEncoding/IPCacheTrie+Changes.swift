// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// Adding and removing one prefix below the root. Each function gets the block that stands for all prefixes sharing
/// the bits before address byte `byte` and returns the block that replaces it; 0 is the empty subtree.
extension IPCacheTrie {
    func inserting(_ prefix: TriePrefix, _ value: UInt32, into block: UInt32, byte: Int) -> UInt32 {
        guard block != 0 else { return newTail(prefix, value) }
        let head = head(block)
        switch head.tag {
        case Int(IPCACHE_TAIL): return inserting(prefix, value, besideTail: block, byte: byte)
        case Int(IPCACHE_SKIP): return inserting(prefix, value, atSkip: block, byte: byte)
        default: return inserting(prefix, value, intoNode: block, byte: byte)
        }
    }

    func removing(_ prefix: TriePrefix, from block: UInt32, byte: Int) -> UInt32 {
        guard block != 0 else { return 0 }
        switch head(block).tag {
        case Int(IPCACHE_TAIL):
            guard leafPrefix(block, isIPv4: prefix.isIPv4) == prefix else { return block }
            releaseLeaf(block)
            return 0
        case Int(IPCACHE_SKIP):
            let below = head(block).payload
            let left = removing(prefix, from: below, byte: head(block).length / 8)
            guard left == 0 || head(left).tag != Int(IPCACHE_NODE) else {
                if left != below { setPayload(of: block, to: left) }
                return block
            }
            releaseLeaf(block)  // a tail or skip knows all bits itself
            return left
        default: return removing(prefix, fromNode: block, byte: byte)
        }
    }

    private func inserting(_ prefix: TriePrefix, _ value: UInt32, besideTail tail: UInt32, byte: Int) -> UInt32 {
        let other = leafPrefix(tail, isIPv4: prefix.isIPv4)
        if other == prefix {
            setPayload(of: tail, to: value)
            return tail
        }
        let otherValue = head(tail).payload
        releaseLeaf(tail)
        var pair = [(other, otherValue), (prefix, value)]
        if TriePrefix.precedes(prefix, other) { pair.swapAt(0, 1) }
        return build(pair[...], byte: byte)
    }

    private func inserting(_ prefix: TriePrefix, _ value: UInt32, atSkip skip: UInt32, byte: Int) -> UInt32 {
        let path = leafPrefix(skip, isIPv4: prefix.isIPv4)
        let below = head(skip).payload
        let shared = min(prefix.sharedBits(path), path.length)
        if shared == path.length, prefix.length > path.length {
            let changed = inserting(prefix, value, into: below, byte: path.length / 8)
            if changed != below { setPayload(of: skip, to: changed) }
            return skip
        }
        // A new node where the paths part or the prefix ends; the old subtree hangs in one of its slots.
        let fork = min(shared, prefix.length - 1) / 8
        var kept = skip
        if 8 * (fork + 1) == path.length {
            releaseLeaf(skip)
            kept = below
        }
        let slot = path.byte(fork)
        var runs = [TrieRun(start: 0)]
        paint(&runs, slots: slot..<(slot + 1)) { $0.reference = kept }
        insert(prefix, value, into: &runs, byte: fork)
        let node = writeNode(runs, byte: fork)
        return fork > byte ? newSkip(prefix, length: 8 * fork, to: node) : node
    }

    private func inserting(_ prefix: TriePrefix, _ value: UInt32, intoNode node: UInt32, byte: Int) -> UInt32 {
        if prefix.length > 8 * byte + 8 {
            let index = entryIndex(node, run: runIndex(node, slot: prefix.byte(byte)))
            let entry = units[index]
            if entry >> 32 != 0 {
                let below = UInt32(entry >> 32)
                let changed = inserting(prefix, value, into: below, byte: byte + 1)
                if changed != below { units[index] = UInt64(changed) << 32 | entry & 0xffff_ffff }
                return node
            }
        }
        var runs = runs(of: node)
        insert(prefix, value, into: &runs, byte: byte)
        return writeNode(runs, byte: byte, replacing: node)
    }

    /// Puts a prefix into a node's runs: as value if it ends in this node, as a tail (into an empty slot) if not.
    private func insert(_ prefix: TriePrefix, _ value: UInt32, into runs: inout [TrieRun], byte: Int) {
        let slots = prefix.slots(inNodeAt: byte)
        if prefix.length > 8 * byte + 8 {
            let tail = newTail(prefix, value)
            paint(&runs, slots: slots) { $0.reference = tail }
            return
        }
        let length = UInt8(prefix.length - 8 * byte)
        paint(&runs, slots: slots) {
            guard $0.length <= length else { return }
            $0.value = value
            $0.length = length
        }
    }

    private func removing(_ prefix: TriePrefix, fromNode node: UInt32, byte: Int) -> UInt32 {
        var runs: [TrieRun]
        if prefix.length > 8 * byte + 8 {
            let run = runIndex(node, slot: prefix.byte(byte))
            let entry = units[entryIndex(node, run: run)]
            let below = UInt32(entry >> 32)
            let left = removing(prefix, from: below, byte: byte + 1)
            guard left != below else { return node }
            guard left == 0 || head(left).tag != Int(IPCACHE_NODE) else {
                units[entryIndex(node, run: run)] = UInt64(left) << 32 | entry & 0xffff_ffff
                return node
            }
            runs = self.runs(of: node)
            paint(&runs, slots: prefix.slots(inNodeAt: byte)) { $0.reference = left }
        } else {
            runs = self.runs(of: node)
            let length = UInt8(prefix.length - 8 * byte)
            let cover = cover(of: prefix, longerThan: 8 * byte)
            paint(&runs, slots: prefix.slots(inNodeAt: byte)) {
                guard $0.length == length else { return }
                $0.value = cover?.value ?? 0
                $0.length = UInt8((cover?.length ?? 8 * byte) - 8 * byte)
            }
        }
        return writeOrCollapse(runs, byte: byte, replacing: node, near: prefix)
    }

    /// A node with one prefix or one subtree left becomes a tail or skip again, an empty one disappears.
    private func writeOrCollapse(_ runs: [TrieRun], byte: Int, replacing node: UInt32, near prefix: TriePrefix)
        -> UInt32
    {
        let used = runs.indices.filter { runs[$0].reference != 0 || runs[$0].length != 0 }
        guard used.count <= 1 else { return writeNode(runs, byte: byte, replacing: node) }
        guard let index = used.first else {
            releaseNode(node)
            return 0
        }
        let run = runs[index]
        let path = prefix.replacingByte(byte, with: run.start)
        if run.reference == 0 {
            // One run with a value: one prefix if it is as wide as the prefix is.
            let end = index + 1 < runs.count ? runs[index + 1].start : 256
            guard end - run.start == 256 >> Int(run.length) else {
                return writeNode(runs, byte: byte, replacing: node)
            }
            releaseNode(node)
            return newTail(path.truncated(to: 8 * byte + Int(run.length)), run.value)
        }
        guard run.length == 0 else { return writeNode(runs, byte: byte, replacing: node) }
        releaseNode(node)
        guard head(run.reference).tag == Int(IPCACHE_NODE) else { return run.reference }
        return newSkip(path, length: 8 * byte + 8, to: run.reference)
    }

    /// Applies `change` to exactly these slots: splits runs at the borders, then merges equal neighbours.
    private func paint(_ runs: inout [TrieRun], slots: Range<Int>, _ change: (inout TrieRun) -> Void) {
        var result: [TrieRun] = []
        result.reserveCapacity(runs.count + 2)
        func append(_ run: TrieRun) {
            if let last = result.last, last.continues(run) { return }
            result.append(run)
        }
        for (index, run) in runs.enumerated() {
            let end = index + 1 < runs.count ? runs[index + 1].start : 256
            let from = max(run.start, slots.lowerBound)
            let to = min(end, slots.upperBound)
            guard from < to else {
                append(run)
                continue
            }
            if run.start < from { append(run) }
            var part = run
            part.start = from
            change(&part)
            append(part)
            if to < end {
                var rest = run
                rest.start = to
                append(rest)
            }
        }
        runs = result
    }

    private func setPayload(of leaf: UInt32, to payload: UInt32) {
        let head = head(leaf)
        units[Int(leaf)] = TrieHead(tag: head.tag, length: head.length, payload: payload).word
    }
}
