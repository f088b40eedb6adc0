// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import IdentityModel
package import NetworkModel

/// The image of one bank of the ipcache: a trie of 8-bit bitmap nodes (`bpf/abi/ipcache.h`).
///
/// Behind its entries a node keeps one byte a run that only this side reads: the length of the prefix that gave the
/// run its value, so that a change knows what it may overwrite. What a removal uncovers is found in the set of all
/// prefixes, by trying the shorter lengths of the same node. The image is changed in place: no packet reads it.
package final class IPCacheTrie {
    package let units: TableMemory<UInt64>
    var allocator: TrieAllocator
    var prefixes: [TriePrefix: UInt32] = [:]
    /// 1 + length of the prefix that gave a slot of the two root tables its value; 0: none.
    var rootLengths: [UInt8]

    /// `chunks`: size of the arena in chunks of 1 MiB; at least two (the first holds the root tables).
    package init(chunks: Int) {
        precondition(chunks >= 2, "the ipcache needs at least two chunks")
        units = TableMemory(zero: 0, chunkElements: Int(IPCACHE_CHUNK_UNITS), chunkCountMax: chunks)
        allocator = TrieAllocator(limit: chunks * Int(IPCACHE_CHUNK_UNITS))
        rootLengths = Array(repeating: 0, count: 2 * Int(IPCACHE_ROOT_SLOTS))
    }

    /// Number of prefixes.
    package var count: Int { prefixes.count }

    /// True if this many changes certainly fit.
    package func hasRoom(forChanges changes: Int) -> Bool {
        changes * TrieAllocator.unitsPerChangeMax <= allocator.freshUnits
    }

    /// The value stored for exactly this prefix.
    package func value(of prefix: CIDR) -> NumericIdentity? {
        prefixes[TriePrefix(prefix)].map { NumericIdentity(rawValue: $0) }
    }

    /// Adds or changes one prefix.
    ///
    /// `hasRoom` must have approved it; the identity must not be 0.
    package func set(_ cidr: CIDR, to identity: NumericIdentity) {
        precondition(identity != .any, "identity 0 means 'no prefix'")
        let prefix = TriePrefix(cidr)
        let value = identity.rawValue
        guard prefixes.updateValue(value, forKey: prefix) != value else { return }
        if prefix.length <= 16 {
            paintRoot(prefix, value: value, length: prefix.length, replacing: { $0 <= prefix.length + 1 })
            return
        }
        updateRootReference(prefix) { inserting(prefix, value, into: $0, byte: 2) }
    }

    /// Removes one prefix; false if there is none.
    @discardableResult
    package func remove(_ cidr: CIDR) -> Bool {
        let prefix = TriePrefix(cidr)
        guard prefixes.removeValue(forKey: prefix) != nil else { return false }
        if prefix.length <= 16 {
            let cover = cover(of: prefix, longerThan: -1)
            paintRoot(
                prefix, value: cover?.value ?? 0, length: cover?.length ?? -1,
                replacing: { $0 == prefix.length + 1 })
            return true
        }
        updateRootReference(prefix) { removing(prefix, from: $0, byte: 2) }
        return true
    }

    /// The longest remaining prefix around `prefix` with more than `base` bits.
    func cover(of prefix: TriePrefix, longerThan base: Int) -> (value: UInt32, length: Int)? {
        for length in stride(from: prefix.length - 1, to: base, by: -1) {
            if let value = prefixes[prefix.truncated(to: length)] { return (value, length) }
        }
        return nil
    }

    private func paintRoot(_ prefix: TriePrefix, value: UInt32, length: Int, replacing isReplaced: (Int) -> Bool) {
        let first = prefix.rootReference(prefix.rootSlot)
        for index in first..<(first + 1 << (16 - prefix.length)) where isReplaced(Int(rootLengths[index])) {
            rootLengths[index] = UInt8(length + 1)
            units[index] = units[index] & ~0xffff_ffff | UInt64(value)
        }
    }

    private func updateRootReference(_ prefix: TriePrefix, _ change: (UInt32) -> UInt32) {
        let index = prefix.rootReference(prefix.rootSlot)
        let entry = units[index]
        let reference = change(UInt32(entry >> 32))
        if reference != UInt32(entry >> 32) { units[index] = UInt64(reference) << 32 | entry & 0xffff_ffff }
    }
}
