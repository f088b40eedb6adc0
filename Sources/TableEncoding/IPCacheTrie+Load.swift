// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import IdentityModel
package import NetworkModel

extension IPCacheTrie {
    /// Fills an empty trie.
    ///
    /// Throws if the arena is too small; the trie is useless then.
    package func load(_ mappings: [CIDR: NumericIdentity]) throws(TableError) {
        var sorted: [(TriePrefix, UInt32)] = []
        sorted.reserveCapacity(mappings.count)
        prefixes.reserveCapacity(mappings.count)
        for (cidr, identity) in mappings {
            precondition(identity != .any, "identity 0 means 'no prefix'")
            let prefix = TriePrefix(cidr)
            prefixes[prefix] = identity.rawValue
            sorted.append((prefix, identity.rawValue))
        }
        try load(sorted: &sorted)
    }

    /// A fresh trie of the same size with the same prefixes and these changes: what a change does that may not fit
    /// into the space left in one piece.
    package func rebuilt(removing removals: [CIDR], setting settings: [(CIDR, NumericIdentity)]) throws(TableError)
        -> IPCacheTrie
    {
        let trie = IPCacheTrie(chunks: units.chunkCountMax)
        trie.prefixes = prefixes
        for cidr in removals { trie.prefixes[TriePrefix(cidr)] = nil }
        for (cidr, identity) in settings { trie.prefixes[TriePrefix(cidr)] = identity.rawValue }
        var sorted = trie.prefixes.map { ($0.key, $0.value) }
        try trie.load(sorted: &sorted)
        return trie
    }

    private func load(sorted prefixes: inout [(TriePrefix, UInt32)]) throws(TableError) {
        prefixes.sort { TriePrefix.precedes($0.0, $1.0) }
        for isIPv4 in [true, false] {
            let family = prefixes.filter { $0.0.isIPv4 == isIPv4 }
            for (prefix, value) in family where prefix.length <= 16 { paintRootOnLoad(prefix, value) }
            let longer = family.filter { $0.0.length > 16 }
            var start = 0
            while start < longer.count {
                let slot = longer[start].0.rootSlot
                var end = start + 1
                while end < longer.count, longer[end].0.rootSlot == slot { end += 1 }
                let index = longer[start].0.rootReference(slot)
                let block = build(longer[start..<end], byte: 2)
                units[index] = UInt64(block) << 32 | units[index] & 0xffff_ffff
                start = end
            }
        }
        guard !allocator.isOverfull else {
            throw .full(.ipcache, needed: 8 * allocator.next, capacity: 8 * allocator.limit)
        }
    }

    /// Sorted input: a covering prefix comes first, so later ones may simply overwrite.
    private func paintRootOnLoad(_ prefix: TriePrefix, _ value: UInt32) {
        let first = prefix.rootReference(prefix.rootSlot)
        for index in first..<(first + 1 << (16 - prefix.length)) {
            rootLengths[index] = UInt8(prefix.length + 1)
            units[index] = UInt64(value)
        }
    }

    /// Builds the subtree of sorted, distinct prefixes that share the bits before `byte` and are longer.
    func build(_ sorted: ArraySlice<(TriePrefix, UInt32)>, byte: Int) -> UInt32 {
        guard let first = sorted.first, let last = sorted.last else { return 0 }
        if sorted.count == 1 { return newTail(first.0, first.1) }
        // The first one is the shortest of those that end before the paths part, if there are such.
        let fork = min(first.0.sharedBits(last.0), first.0.length - 1) / 8
        let node = buildNode(sorted, byte: fork)
        return fork > byte ? newSkip(first.0, length: 8 * fork, to: node) : node
    }

    private func buildNode(_ sorted: ArraySlice<(TriePrefix, UInt32)>, byte: Int) -> UInt32 {
        var slots = (0..<256).map { TrieRun(start: $0) }
        var index = sorted.startIndex
        while index < sorted.endIndex {
            let (prefix, value) = sorted[index]
            if prefix.length <= 8 * byte + 8 {
                for slot in prefix.slots(inNodeAt: byte) {
                    slots[slot].value = value
                    slots[slot].length = UInt8(prefix.length - 8 * byte)
                }
                index += 1
                continue
            }
            let slot = prefix.byte(byte)
            var end = index + 1
            while end < sorted.endIndex, sorted[end].0.byte(byte) == slot, sorted[end].0.length > 8 * byte + 8 {
                end += 1
            }
            slots[slot].reference = build(sorted[index..<end], byte: byte + 1)
            index = end
        }
        var runs: [TrieRun] = []
        for slot in slots {
            if let last = runs.last, last.continues(slot) { continue }
            runs.append(slot)
        }
        return writeNode(runs, byte: byte)
    }
}
