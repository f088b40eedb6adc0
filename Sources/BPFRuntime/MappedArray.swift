// SPDX-License-Identifier: Apache-2.0
import CLinuxShim
import Glibc

/// A memory-mapped array map (`BPF_F_MMAPABLE`), or a part of one: the kernel programs see every store at once.
///
/// Every access is bounds-checked; an offset outside is a programmer's error and stops the process. All pages of the
/// part are in this process's page tables from the beginning and count as its resident memory.
@safe package struct MappedArray: ~Copyable, Sendable {
    package let name: String
    /// Bytes of all elements.
    package let byteCount: Int
    /// Bytes from one element to the next.
    package let elementStride: Int
    /// The mapped bytes; offsets of every access count from the beginning of the array.
    private let mapped: Range<Int>
    // Sendable although it holds a pointer: the memory is shared with the kernel anyway, and who may write which part
    // is the datapath's duty, not this type's.
    private nonisolated(unsafe) let base: UnsafeMutableRawPointer

    /// Maps the array, or the pages that hold some of its bytes.
    ///
    /// Throws `EINVAL` if the map is not memory-mapped.
    package init(_ descriptor: borrowing FileDescriptor, name: String, covering part: Range<Int>? = nil)
        throws(BPFError)
    {
        let definition = try MapDefinition(of: descriptor, name: name)
        guard definition.isMemoryMapped else {
            throw BPFError(errno: EINVAL, operation: "map \(name) into memory: it is not a memory-mapped array")
        }
        let size = definition.elementStride * definition.entryCountMax
        let part = part ?? 0..<size
        precondition(part.lowerBound >= 0 && part.upperBound <= size, "bytes \(part) lie outside \(name)")
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let start = part.lowerBound / page * page
        let length = part.upperBound - start
        let address = unsafe mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.rawValue, start)
        let number = errno
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw BPFError(errno: number, operation: "map \(length) bytes of \(name) into memory")
        }
        self.name = name
        byteCount = size
        elementStride = definition.elementStride
        mapped = start..<part.upperBound
        unsafe base = address
    }

    deinit { unsafe munmap(base, mapped.count) }

    /// Copies bytes in; plain stores, in no order that a reader may rely on.
    package func write(_ bytes: RawSpan, at offset: Int) {
        unsafe bytes.withUnsafeBytes { source in
            unsafe address(offset, byteCount: source.count).copyMemory(
                from: source.baseAddress ?? UnsafeRawPointer(base), byteCount: source.count)
        }
    }

    /// Copies a part of `bytes` in, to the same offset plus `base`: for a shadow of (a part of) the array.
    package func write(_ bytes: [UInt8], range: Range<Int>, base offset: Int = 0) {
        unsafe bytes.withUnsafeBytes { source in
            let part = unsafe UnsafeRawBufferPointer(rebasing: source[range])
            unsafe write(part.bytes, at: offset + range.lowerBound)
        }
    }

    /// Copies a value in.
    package func write<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        unsafe address(offset, byteCount: MemoryLayout<Value>.size).storeBytes(of: value, as: Value.self)
    }

    /// Stores a word after everything stored before it; the offset is a multiple of four.
    package func storeReleasing(_ value: UInt32, at offset: Int) {
        precondition(offset % 4 == 0, "unaligned word at \(offset) of \(name)")
        unsafe bulkhead_store_release_u32(address(offset, byteCount: 4), value)
    }

    /// Loads a word before anything loaded after it; the offset is a multiple of four.
    package func loadAcquiring(at offset: Int) -> UInt32 {
        precondition(offset % 4 == 0, "unaligned word at \(offset) of \(name)")
        return unsafe bulkhead_load_acquire_u32(address(offset, byteCount: 4))
    }

    /// The same for a double word; the offset is a multiple of eight.
    package func storeReleasingDoubleWord(_ value: UInt64, at offset: Int) {
        precondition(offset % 8 == 0, "unaligned double word at \(offset) of \(name)")
        unsafe bulkhead_store_release_u64(address(offset, byteCount: 8), value)
    }

    /// The same for a double word; the offset is a multiple of eight.
    package func loadAcquiringDoubleWord(at offset: Int) -> UInt64 {
        precondition(offset % 8 == 0, "unaligned double word at \(offset) of \(name)")
        return unsafe bulkhead_load_acquire_u64(address(offset, byteCount: 8))
    }

    /// Stores a word if it still is what is expected; false, and nothing stored, if somebody else was faster.
    ///
    /// The offset is a multiple of four.
    package func exchange(_ expected: UInt32, for wanted: UInt32, at offset: Int) -> Bool {
        precondition(offset % 4 == 0, "unaligned word at \(offset) of \(name)")
        return unsafe bulkhead_exchange_u32(address(offset, byteCount: 4), expected, wanted)
    }

    /// The same for a double word; the offset is a multiple of eight.
    package func exchange(_ expected: UInt64, for wanted: UInt64, at offset: Int) -> Bool {
        precondition(offset % 8 == 0, "unaligned double word at \(offset) of \(name)")
        return unsafe bulkhead_exchange_u64(address(offset, byteCount: 8), expected, wanted)
    }

    /// Reads a value.
    ///
    /// The type is named and not inferred: where an optional is wanted one would be read, which is a byte longer.
    package func value<Value: BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value {
        unsafe address(offset, byteCount: MemoryLayout<Value>.size).loadUnaligned(as: Value.self)
    }

    /// Lends bytes in place; who may change them meanwhile is the caller's affair.
    @inline(__always)
    package func withBytes(at offset: Int, count: Int, _ body: (RawSpan) -> Void) {
        unsafe body(UnsafeRawBufferPointer(start: address(offset, byteCount: count), count: count).bytes)
    }

    /// Lends one element in place to code that shares it with the kernel programs; at a multiple of eight bytes.
    package func withElement<Value: BitwiseCopyable>(
        _ index: Int, as type: Value.Type, _ body: (UnsafeMutablePointer<Value>) -> Void
    ) {
        precondition(elementStride % 8 == 0 && MemoryLayout<Value>.alignment <= 8, "unaligned elements of \(name)")
        let bytes = unsafe address(index * elementStride, byteCount: MemoryLayout<Value>.size)
        unsafe body(bytes.assumingMemoryBound(to: Value.self))
    }

    /// All elements, for code that checks its accesses itself.
    package func withUnsafeMutableBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) rethrows
        -> Result
    {
        unsafe try body(UnsafeMutableRawBufferPointer(start: address(0, byteCount: byteCount), count: byteCount))
    }

    /// A copy of a range of bytes.
    package func bytes(in range: Range<Int>) -> [UInt8] {
        unsafe Array(
            UnsafeRawBufferPointer(start: address(range.lowerBound, byteCount: range.count), count: range.count))
    }

    /// Copies a range from one place to another inside the array; the two may not overlap.
    package func copy(_ range: Range<Int>, to offset: Int) {
        unsafe address(offset, byteCount: range.count).copyMemory(
            from: address(range.lowerBound, byteCount: range.count), byteCount: range.count)
    }

    private func address(_ offset: Int, byteCount count: Int) -> UnsafeMutableRawPointer {
        precondition(
            count >= 0 && offset >= mapped.lowerBound && offset <= mapped.upperBound - count,
            "bytes \(offset)..<\(offset + count) lie outside the mapped part \(mapped) of \(name)")
        return unsafe base + (offset - mapped.lowerBound)
    }
}
