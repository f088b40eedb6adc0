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
    private let chunks: UnsafeMutableBufferPointer<UnsafeMutablePointer<Element>?>
    /// A bit for each granule.
    private let dirtyMap: UnsafeMutableBufferPointer<UInt64>
    private let granuleShift: Int

    /// Clean granules between two dirty ones that are copied with them: one longer copy is cheaper than two.
    private static var gapMax: Int { 4 }

    /// `zero` is the element whose bytes are all zero; `chunkElements` must be a power of two.
    package init(zero: Element, chunkElements: Int, chunkCountMax: Int) {
        precondition(chunkElements > 0 && chunkElements & (chunkElements - 1) == 0, "chunk size is no power of two")
        self.zero = zero
        self.chunkElements = chunkElements
        self.chunkCountMax = chunkCountMax
        shift = chunkElements.trailingZeroBitCount
        // A granule of 256 bytes: what is copied for one changed word.
        granuleShift = max(0, (256 / MemoryLayout<Element>.stride).trailingZeroBitCount)
        unsafe chunks = .allocate(capacity: chunkCountMax)
        unsafe chunks.initialize(repeating: nil)
        unsafe dirtyMap = .allocate(capacity: ((chunkElements * chunkCountMax) >> granuleShift) / 64 + 1)
        unsafe dirtyMap.initialize(repeating: 0)
    }

    deinit {
        for index in unsafe chunks.indices { unsafe chunks[index]?.deallocate() }
        unsafe chunks.deallocate()
        unsafe dirtyMap.deallocate()
    }

    /// The number of elements the table has room for.
    package var capacity: Int { chunkElements * chunkCountMax }

    /// The element at an index below `capacity`.
    package subscript(index: Int) -> Element {
        get {
            precondition(has(index), "element \(index) lies outside the table")
            guard let chunk = unsafe chunks[index >> shift] else { return zero }
            return unsafe chunk[index & (chunkElements - 1)]
        }
        set {
            precondition(has(index), "element \(index) lies outside the table")
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
        precondition(has(range.lowerBound) && has(range.upperBound - 1), "elements \(range) lie outside the table")
        for granule in (range.lowerBound >> granuleShift)...((range.upperBound - 1) >> granuleShift) {
            markDirty(granule: granule)
        }
    }

    /// The ranges written since the last call, ascending, merged where they touch or nearly do, none across a chunk border.
    package func takeDirty() -> [DirtyRange] {
        let size = MemoryLayout<Element>.stride << granuleShift
        let perChunk = chunkElements >> granuleShift
        var ranges: [DirtyRange] = []
        for word in unsafe dirtyMap.indices {
            var bits = unsafe dirtyMap[word]
            guard bits != 0 else { continue }
            unsafe dirtyMap[word] = 0
            while bits != 0 {
                let granule = word * 64 + bits.trailingZeroBitCount
                bits &= bits - 1
                let (chunk, place) = granule.quotientAndRemainder(dividingBy: perChunk)
                let start = place * size
                if let last = ranges.last, last.chunk == chunk,
                    start - last.bytes.upperBound <= TableMemory.gapMax * size
                {
                    ranges[ranges.count - 1].bytes = last.bytes.lowerBound..<(start + size)
                } else {
                    ranges.append(DirtyRange(chunk: chunk, bytes: start..<(start + size)))
                }
            }
        }
        return ranges
    }

    /// Hands out the bytes of a range; a chunk never written to yields zero bytes.
    package func withBytes(_ range: DirtyRange, _ body: (UnsafeRawBufferPointer) -> Void) {
        let chunk = unsafe chunks[range.chunk] ?? allocate(range.chunk)
        let all = unsafe UnsafeRawBufferPointer(start: chunk, count: chunkElements * MemoryLayout<Element>.stride)
        unsafe body(UnsafeRawBufferPointer(rebasing: all[range.bytes]))
    }

    /// Fills a chunk from the kernel's bytes (an image that is only to be read: `map dump`).
    package func load(chunk: Int, from bytes: UnsafeRawBufferPointer) {
        let target = unsafe chunks[chunk] ?? allocate(chunk)
        let size = min(bytes.count, chunkElements * MemoryLayout<Element>.stride)
        unsafe UnsafeMutableRawBufferPointer(start: target, count: size).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[..<size]))
    }

    /// False for negative indexes too.
    private func has(_ index: Int) -> Bool { UInt(bitPattern: index >> shift) < UInt(bitPattern: chunkCountMax) }

    private func markDirty(granule: Int) {
        unsafe dirtyMap[granule >> 6] |= 1 << UInt64(granule & 63)
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
