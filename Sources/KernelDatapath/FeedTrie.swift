// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import CLinuxShim
import Glibc
import PrefixTables

/// How a change of the feeds was put in force.
package enum FeedChangeWay: Hashable, Sendable {
    case unchanged
    /// One prefix: one store of a link in the trie that packets look into.
    case inPlace
    /// So many, in a copy that then took the trie's place.
    case copied(Int)
    case rebuilt
}

/// The feeds of one family in the kernel, with what their writer knows.
///
/// The memory is mapped only while it is written: it would count as the agent's.
final class FeedTrie {
    let map: FileDescriptor
    private let isIPv4: Bool
    private let chunkCount: Int
    private var state: RangeTrie.State
    /// When it was built; changes leave holes.
    private let builtBytes: Int
    private var usedBytes: Int

    /// With more changes than one in so many prefixes all is built anew.
    static let rebuiltShare = 4

    /// Bytes in the kernel.
    var bytes: Int { chunkCount * RangeMemory.chunkBytes }

    /// A new one; `prefixes` come back sorted.
    init(isIPv4: Bool, _ prefixes: inout [RangePrefix]) throws(BPFError) {
        let trie = try FeedTrie.build(isIPv4: isIPv4, &prefixes)
        let chunks = FeedTrie.chunkCount(for: trie.usedBytes)
        map = try FeedTrie.makeMap(isIPv4: isIPv4, chunkCount: chunks)
        let memory = try MappedArray(map, name: "feeds")
        for chunk in 0..<min(chunks, trie.memory.chunkCount) {
            unsafe trie.memory.withChunk(chunk) { source in
                unsafe memory.write(source.bytes, at: chunk * memory.elementStride)
            }
        }
        self.isIPv4 = isIPv4
        chunkCount = chunks
        state = trie.state
        builtBytes = trie.usedBytes
        usedBytes = builtBytes
    }

    private init(_ map: consuming FileDescriptor, of other: FeedTrie, chunkCount: Int, _ trie: RangeTrie) {
        self.map = map
        isIPv4 = other.isIPv4
        self.chunkCount = chunkCount
        state = trie.state
        builtBytes = other.builtBytes
        usedBytes = trie.usedBytes
    }

    /// Carries out one change under lookups; false, and nothing has happened, if that is not possible.
    ///
    /// Prefixes shorter than the root's slots are many stores, and packets would see some of them.
    func changeInPlace(_ change: RangeChange) throws(BPFError) -> Bool {
        guard change.prefix.length >= 16 else { return false }
        let memory = try MappedArray(map, name: "feeds")
        let trie = RangeTrie(FeedTrie.memory(memory, chunkCount), isIPv4: isIPv4, state: state)
        do throws(RangeTrieError) {
            try trie.set(change.prefix, coveredBy: change.cover)
        } catch {
            return false
        }
        // From then on nobody looks at what was unlinked.
        if bulkhead_membarrier_global() == 0 { trie.reclaim() }
        state = trie.state
        usedBytes = trie.usedBytes
        return true
    }

    /// Another one with these changes; nil if building anew is the better way.
    func copy(with changes: [RangeChange]) throws(BPFError) -> FeedTrie? {
        // A change takes a node of a hundred bytes or two, and gives one back.
        let wanted = FeedTrie.chunkCount(for: usedBytes + changes.count * 64)
        guard usedBytes <= builtBytes + builtBytes / 2, wanted <= Int(RANGE_CHUNK_COUNT_MAX) else { return nil }
        let newMap = try FeedTrie.makeMap(isIPv4: isIPv4, chunkCount: wanted)
        let old = try MappedArray(map, name: "feeds")
        let new = try MappedArray(newMap, name: "feeds")
        unsafe old.withUnsafeMutableBytes { source in
            unsafe new.withUnsafeMutableBytes { target in
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.prefix(target.count)))
            }
        }
        let trie = RangeTrie(FeedTrie.memory(new, wanted), isIPv4: isIPv4, state: state)
        for change in changes {
            do throws(RangeTrieError) {
                try trie.set(change.prefix, coveredBy: change.cover)
            } catch {
                return nil
            }
            // No lookup goes here yet.
            trie.reclaim()
        }
        return FeedTrie(newMap, of: self, chunkCount: wanted, trie)
    }

    /// Room for some changes in place, too.
    private static func chunkCount(for bytes: Int) -> Int {
        (bytes + bytes / 16 + RangeMemory.chunkBytes - 1) / RangeMemory.chunkBytes
    }

    private static func makeMap(isIPv4: Bool, chunkCount: Int) throws(BPFError) -> FileDescriptor {
        try FileDescriptor.innerArray(
            name: isIPv4 ? "feeds_ipv4" : "feeds_ipv6", valueSize: RangeMemory.chunkBytes, entryCount: chunkCount)
    }

    /// The memory of a trie that does not outlive `array`.
    private static func memory(_ array: borrowing MappedArray, _ chunkCount: Int) -> RangeMemory {
        precondition(array.elementStride == RangeMemory.chunkBytes, "elements of another size")
        return unsafe array.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { preconditionFailure("an array without elements") }
            return unsafe RangeMemory(unowned: base, chunkCount: chunkCount)
        }
    }

    /// Tries with memory for the usual case first, then with more.
    private static func build(isIPv4: Bool, _ prefixes: inout [RangePrefix]) throws(BPFError) -> RangeTrie {
        var chunkCount = 1 + prefixes.count * (isIPv4 ? 14 : 44) / RangeMemory.chunkBytes
        while chunkCount <= Int(RANGE_CHUNK_COUNT_MAX) {
            let trie = RangeTrie(RangeMemory(chunkCount: chunkCount), isIPv4: isIPv4)
            do throws(RangeTrieError) {
                try trie.load(&prefixes)
                return trie
            } catch {
                chunkCount *= 2
            }
        }
        throw BPFError(
            errno: E2BIG, operation: "load \(prefixes.count) prefixes",
            remedy: "a trie holds \(Int(RANGE_CHUNK_COUNT_MAX) * RangeMemory.chunkBytes >> 20) MiB; shorten the feeds")
    }
}
