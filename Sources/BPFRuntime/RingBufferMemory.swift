// SPDX-License-Identifier: Apache-2.0
import CLinuxShim
import Glibc

/// The memory of one ring buffer: consumer page (ours to write), producer page and the data.
///
/// The kernel offers the data twice in a row, so that no record wraps. Mapped twice it would count twice as our resident
/// memory; we map it once and copy the rare record that wraps.
@safe package final class RingBufferMemory: RecordSource {
    private let descriptor: FileDescriptor
    private let byteCount: Int
    private let pageSize: Int
    // Pointers into shared memory; only the reader's thread uses them once it runs.
    private nonisolated(unsafe) let consumer: UnsafeMutableRawPointer
    private nonisolated(unsafe) let producer: UnsafeRawPointer
    private nonisolated(unsafe) let data: UnsafeRawPointer

    /// Maps the buffer; reading goes on where the last reader of this buffer stopped.
    package init(_ borrowed: borrowing FileDescriptor, name: String) throws(BPFError) {
        let definition = try MapDefinition(of: borrowed, name: name)
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let size = definition.entryCountMax
        descriptor = try borrowed.duplicate()
        byteCount = size
        pageSize = page
        let consumer = try unsafe RingBufferMemory.map(borrowed, page, PROT_READ | PROT_WRITE, offset: 0, name)
        unsafe self.consumer = consumer
        do throws(BPFError) {
            let producer = try unsafe RingBufferMemory.map(borrowed, page + size, PROT_READ, offset: page, name)
            unsafe self.producer = UnsafeRawPointer(producer)
            unsafe data = UnsafeRawPointer(producer + page)
        } catch {
            unsafe munmap(consumer, page)
            throw error
        }
    }

    deinit {
        unsafe munmap(consumer, pageSize)
        unsafe munmap(UnsafeMutableRawPointer(mutating: producer), pageSize + byteCount)
    }

    package var wakeDescriptor: Int32 { descriptor.rawValue }

    private static func map(
        _ descriptor: borrowing FileDescriptor, _ byteCount: Int, _ protection: Int32, offset: Int, _ name: String
    ) throws(BPFError) -> UnsafeMutableRawPointer {
        let address = unsafe mmap(nil, byteCount, protection, MAP_SHARED, descriptor.rawValue, offset)
        let number = errno
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw BPFError(errno: number, operation: "map ring buffer \(name) into memory")
        }
        return unsafe address
    }

    /// Hands each complete record to `body`, up to a number, then gives the space back to the kernel at once.
    package func drain(recordCountMax: Int, _ body: (RawSpan) -> Void) -> (records: Int, bytes: Int) {
        var position = unsafe bulkhead_load_acquire_u64(consumer)
        let end = unsafe bulkhead_load_acquire_u64(producer)
        var records = 0
        var bytes = 0
        let start = position
        while position < end, records < recordCountMax {
            let header = unsafe data + Int(position % UInt64(byteCount))
            let word = unsafe bulkhead_load_acquire_u32(header)
            guard word & RecordHeader.busy == 0 else { break }
            let length = Int(word & RecordHeader.lengthMask)
            if word & RecordHeader.discarded == 0 {
                read(Int(position % UInt64(byteCount)) + RecordHeader.byteCount, length, body)
                records += 1
                bytes += length
            }
            position += UInt64((length + RecordHeader.byteCount + 7) & ~7)
        }
        if position != start { unsafe bulkhead_store_release_u64(consumer, position) }
        return (records, bytes)
    }
}

extension RingBufferMemory {
    /// Hands out the bytes of a record whose header may have been the last before the end.
    private func read(_ offset: Int, _ length: Int, _ body: (RawSpan) -> Void) {
        let start = offset == byteCount ? 0 : offset
        let untilEnd = byteCount - start
        guard length > untilEnd else {
            unsafe body(UnsafeRawBufferPointer(start: data + start, count: length).bytes)
            return
        }
        unsafe withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { copy in
            unsafe copy.copyMemory(from: UnsafeRawBufferPointer(start: data + start, count: untilEnd))
            unsafe UnsafeMutableRawBufferPointer(rebasing: copy[untilEnd...]).copyMemory(
                from: UnsafeRawBufferPointer(start: data, count: length - untilEnd))
            unsafe body(UnsafeRawBufferPointer(copy).bytes)
        }
    }
}

/// The eight bytes before each record (kernel/bpf/ringbuf.c).
private enum RecordHeader {
    static let busy: UInt32 = 1 << 31
    static let discarded: UInt32 = 1 << 30
    static let lengthMask: UInt32 = (1 << 30) - 1
    static let byteCount = 8
}
