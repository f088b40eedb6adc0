// SPDX-License-Identifier: Apache-2.0

/// The bytes of one kernel table, kept in user space: chunks of equal size, allocated when first written (zero before),
/// with a record of what was written since the last `takeDirty`.
///
/// The only file of this module that handles memory.
@safe
package final class TableMemory<Element: BitwiseCopyable> {
    /// Elements in a chunk; a power of two.
    package let chunkElements: Int
    /// How many chunks the kernel table has.
    package let chunkCountMax: Int

    private let zero: Element
    private let shift: Int
    private var chunks: [UnsafeMutablePointer<Element>?]
    private var dirtyMap: [UInt64]
    private var dirtyGranules: [UInt32] = []
    private let granuleShift: Int

    /// `zero` is the element whose bytes are all zero; `chunkElements` must be a power of two.
    package init(zero: Element, chunkElements: Int, chunkCountMax: Int) {
        precondition(chunkElements > 0 && chunkElements & (chunkElements - 1) == 0, "chunk size is no power of two")
        self.zero = zero
        self.chunkElements = chunkElements
        self.chunkCountMax = chunkCountMax
        shift = chunkElements.trailingZeroBitCount
        // A granule of 256 bytes: what is copied for one changed word.
        granuleShift = max(0, (256 / MemoryLayout<Element>.stride).trailingZeroBitCount)
        unsafe chunks = Array(repeating: nil, count: chunkCountMax)
        dirtyMap = Array(repeating: 0, count: ((chunkElements * chunkCountMax) >> granuleShift) / 64 + 1)
    }

    deinit {
        for index in unsafe chunks.indices { unsafe chunks[index]?.deallocate() }
    }

    /// The number of elements the table has room for.
    package var capacity: Int { chunkElements * chunkCountMax }

    /// The element at an index below `capacity`.
    package subscript(index: Int) -> Element {
        get {
            guard let chunk = unsafe chunks[index >> shift] else { return zero }
            return unsafe chunk[index & (chunkElements - 1)]
        }
        set {
            let number = index >> shift
            if let chunk = unsafe chunks[number] {
                unsafe chunk[index & (chunkElements - 1)] = newValue
            } else {
                unsafe allocate(number)[index & (chunkElements - 1)] = newValue
            }
            markDirty(granule: index >> granuleShift)
        }
    }

    /// Notes that a range of elements must be copied although nothing was written to it.
    package func markDirty(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        for granule in (range.lowerBound >> granuleShift)...((range.upperBound - 1) >> granuleShift) {
            markDirty(granule: granule)
        }
    }

    /// The ranges written since the last call, ascending, merged where they touch, none across a chunk border.
    package func takeDirty() -> [DirtyRange] {
        dirtyGranules.sort()
        let size = MemoryLayout<Element>.stride << granuleShift
        let perChunk = chunkElements >> granuleShift
        var ranges: [DirtyRange] = []
        for granule in dirtyGranules {
            dirtyMap[Int(granule) / 64] = 0
            let chunk = Int(granule) / perChunk
            let start = Int(granule) % perChunk * size
            if let last = ranges.last, last.chunk == chunk, last.bytes.upperBound == start {
                ranges[ranges.count - 1].bytes = last.bytes.lowerBound..<(start + size)
            } else {
                ranges.append(DirtyRange(chunk: chunk, bytes: start..<(start + size)))
            }
        }
        dirtyGranules.removeAll(keepingCapacity: dirtyGranules.count < 4096)
        return ranges
    }

    /// Hands out the bytes of a range; a chunk never written to yields zero bytes.
    package func withBytes<Result>(_ range: DirtyRange, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
        -> Result
    {
        let chunk = unsafe chunks[range.chunk] ?? allocate(range.chunk)
        let all = unsafe UnsafeRawBufferPointer(start: chunk, count: chunkElements * MemoryLayout<Element>.stride)
        return unsafe try body(UnsafeRawBufferPointer(rebasing: all[range.bytes]))
    }

    /// Fills a chunk from the kernel's bytes (an image that is only to be read: `map dump`).
    package func load(chunk: Int, from bytes: UnsafeRawBufferPointer) {
        let target = unsafe chunks[chunk] ?? allocate(chunk)
        let size = min(bytes.count, chunkElements * MemoryLayout<Element>.stride)
        unsafe UnsafeMutableRawBufferPointer(start: target, count: size).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[..<size]))
    }

    private func markDirty(granule: Int) {
        let bit: UInt64 = 1 << UInt64(granule & 63)
        guard dirtyMap[granule >> 6] & bit == 0 else { return }
        dirtyMap[granule >> 6] |= bit
        dirtyGranules.append(UInt32(granule))
    }

    private func allocate(_ number: Int) -> UnsafeMutablePointer<Element> {
        let chunk = UnsafeMutablePointer<Element>.allocate(capacity: chunkElements)
        unsafe chunk.initialize(repeating: zero, count: chunkElements)
        unsafe chunks[number] = chunk
        return unsafe chunk
    }
}

/// A range of bytes inside one chunk of a table.
package struct DirtyRange: Hashable, Sendable {
    package var chunk: Int
    /// Offsets into the chunk.
    package var bytes: Range<Int>

    package init(chunk: Int, bytes: Range<Int>) {
        self.chunk = chunk
        self.bytes = bytes
    }
}
