// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// Address → class of the longest prefix that covers it, one family, for a million prefixes and more, in the format of
/// `bpf/abi/range_trie.h`, which kernel programs read while it is changed.
///
/// Source: range trie after DXR (Zec, Rizzo, Mikuc: "DXR: Towards a Billion Routing Lookups per Second in Software",
/// 2012), with skips and tails for IPv6. The caller keeps the set of prefixes.
package final class RangeTrie {
    package let memory: RangeMemory
    package let isIPv4: Bool
    var allocator: RangeAllocator
    /// Length of the prefix that gave a root slot its class.
    var rootLengths: [UInt8]
    /// One list of runs for each level, kept from node to node.
    var scratch: [[RangeRun]]

    /// An empty trie in zeroed memory.
    package init(_ memory: RangeMemory, isIPv4: Bool) {
        self.memory = memory
        self.isIPv4 = isIPv4
        allocator = RangeAllocator(chunkCount: memory.chunkCount)
        rootLengths = Array(repeating: 0, count: Int(RANGE_ROOT_SLOTS))
        scratch = Array(repeating: [], count: 8)
    }

    /// What a writer knows about a trie beside its memory.
    package struct State: Sendable {
        fileprivate var allocator: RangeAllocator
        fileprivate var rootLengths: [UInt8]
    }

    package var state: State { State(allocator: allocator, rootLengths: rootLengths) }

    /// A trie that is there already: `memory` holds what `state` was about, and may have got longer.
    package init(_ memory: RangeMemory, isIPv4: Bool, state: State) {
        self.memory = memory
        self.isIPv4 = isIPv4
        allocator = state.allocator
        allocator.extend(toChunkCount: memory.chunkCount)
        rootLengths = state.rootLengths
        scratch = Array(repeating: [], count: 8)
    }

    /// Bytes handed out so far, the root included.
    package var usedBytes: Int { 8 * Int(allocator.next) }

    /// Units of a tail or skip.
    var leafUnits: Int { isIPv4 ? 2 : 3 }

    /// Blocks that changes have unlinked may be used again: no lookup can be reading them any more.
    package func reclaim() { allocator.reclaim() }

    /// Bytes that wait for `reclaim`.
    package var retiredBytes: Int { 8 * allocator.retiredUnits }
}

/// Slots of a node from `start` to the next run's: one class and one subtree.
struct RangeRun {
    var start: Int
    var value: UInt8 = 0
    /// Length of the prefix that gave the value.
    var length: UInt8 = 0
    var reference: UInt32 = 0
}

/// Why a trie could not take what it was given.
package enum RangeTrieError: Error, Hashable {
    /// Nothing was changed; after a load the trie is to be thrown away.
    case full(capacity: Int)
}
