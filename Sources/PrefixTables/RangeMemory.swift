// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// The elements of one range trie, ours or mapped from the kernel: reads and writes by block and byte offset.
///
/// The only file of this module that handles memory. Every access is checked against the memory's end; one outside is
/// a programmer's error and stops the process.
@safe
package final class RangeMemory {
    /// Elements of the array.
    package let chunkCount: Int
    private let base: UnsafeMutableRawPointer
    private let isOwned: Bool

    /// Bytes from one element to the next.
    package static let chunkBytes = Int(RANGE_CHUNK_BYTES)
    package static let chunkUnits = Int(RANGE_CHUNK_UNITS)

    /// Zeroed memory of its own.
    package init(chunkCount: Int) {
        precondition((1...Int(RANGE_CHUNK_COUNT_MAX)).contains(chunkCount), "chunk count out of range")
        self.chunkCount = chunkCount
        let bytes = chunkCount * RangeMemory.chunkBytes
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        isOwned = true
    }

    /// Memory that somebody else keeps for longer than this object lives: `chunkCount * chunkBytes` bytes, zeroed.
    package init(unowned base: UnsafeMutableRawPointer, chunkCount: Int) {
        precondition((1...Int(RANGE_CHUNK_COUNT_MAX)).contains(chunkCount), "chunk count out of range")
        self.chunkCount = chunkCount
        unsafe self.base = base
        isOwned = false
    }

    deinit {
        if isOwned { unsafe base.deallocate() }
    }

    /// The bytes of one element.
    package func withChunk<Result>(_ number: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
    {
        precondition((0..<chunkCount).contains(number), "chunk out of range")
        return unsafe try body(
            UnsafeRawBufferPointer(start: base + number * RangeMemory.chunkBytes, count: RangeMemory.chunkBytes))
    }

    /// The bytes of one element, for writing.
    func withMutableChunk<Result>(_ number: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Result) rethrows
        -> Result
    {
        precondition((0..<chunkCount).contains(number), "chunk out of range")
        return unsafe try body(
            UnsafeMutableRawBufferPointer(start: base + number * RangeMemory.chunkBytes, count: RangeMemory.chunkBytes))
    }

    func load<Value: BitwiseCopyable>(_ type: Value.Type, _ block: UInt32, _ offset: Int) -> Value {
        unsafe address(block, offset, MemoryLayout<Value>.size).load(as: type)
    }

    func store<Value: BitwiseCopyable>(_ value: Value, _ block: UInt32, _ offset: Int) {
        unsafe address(block, offset, MemoryLayout<Value>.size).storeBytes(of: value, as: Value.self)
    }

    /// Copies bytes from one block to another; they may not overlap.
    func copy(_ block: UInt32, _ bytes: Range<Int>, to other: UInt32, _ offset: Int) {
        guard !bytes.isEmpty else { return }
        unsafe address(other, offset, bytes.count).copyMemory(
            from: address(block, bytes.lowerBound, bytes.count), byteCount: bytes.count)
    }

    @inline(__always)
    private func address(_ block: UInt32, _ offset: Int, _ size: Int) -> UnsafeMutableRawPointer {
        let chunk = Int(block >> UInt32(RANGE_CHUNK_SHIFT))
        let inside = Int(block & (RANGE_CHUNK_UNITS - 1)) * 8 + offset
        precondition(chunk < chunkCount && inside >= 0 && inside + size <= RangeMemory.chunkBytes, "outside the trie")
        return unsafe base + (chunk * RangeMemory.chunkBytes + inside)
    }
}
