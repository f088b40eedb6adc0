// SPDX-License-Identifier: Apache-2.0
import CLinuxShim
import Glibc
import Synchronization

/// Counters of a ring-buffer reader; events that the kernel could not write are counted by the kernel programs.
package struct RingBufferCounts: Hashable, Sendable {
    package var records: UInt64 = 0
    package var batches: UInt64 = 0
    package var bytes: UInt64 = 0

    package init() {}
}

/// What the reader's thread calls; always on that thread, never at the same time.
package struct RingBufferHandler: Sendable {
    /// One record in place; the bytes are gone when the call returns.
    package var record: @Sendable (RawSpan) -> Void
    /// After the last record of a batch, with the batch's number of records: the moment to hand on what was decoded.
    package var batchEnd: @Sendable (Int) -> Void

    package init(record: @escaping @Sendable (RawSpan) -> Void, batchEnd: @escaping @Sendable (Int) -> Void) {
        self.record = record
        self.batchEnd = batchEnd
    }
}

/// Memory that the kernel side fills with records and that wakes its reader through a descriptor.
package protocol RecordSource: Sendable {
    /// Becomes readable when the kernel side wants its records read.
    var wakeDescriptor: Int32 { get }

    /// Hands each complete record to `body`, up to a number, and gives the space back; returns what it handed out.
    func drain(recordCountMax: Int, _ body: (RawSpan) -> Void) -> (records: Int, bytes: Int)
}

/// Reads records on a thread of its own, in batches.
///
/// An element of an asynchronous sequence per event would cost 10 to 20 µs; in place it is under 0.1 µs.
package final class RingBufferReader: Sendable {
    private let shared: Shared

    /// Starts reading a ring buffer at once, where the last reader of this buffer stopped.
    package convenience init(
        _ descriptor: borrowing FileDescriptor, name: String, batchRecordCountMax: Int = 4096,
        handler: RingBufferHandler
    ) throws(BPFError) {
        try self.init(
            RingBufferMemory(descriptor, name: name), batchRecordCountMax: batchRecordCountMax, handler: handler)
    }

    /// Starts reading at once, where the last reader of this source stopped.
    package init(
        _ source: some RecordSource, batchRecordCountMax: Int = 4096, handler: RingBufferHandler
    ) throws(BPFError) {
        shared = try Shared()
        let shared = shared
        try startThread(named: "ring-reader") {
            shared.run(source, batchRecordCountMax: batchRecordCountMax, handler)
        }
    }

    deinit { shared.stop() }

    /// Asks the thread to end and waits until it has; what is left in the buffer stays there.
    ///
    /// Not from the handler.
    package func stop() {
        shared.stop()
        shared.waitUntilStopped()
    }

    package var counts: RingBufferCounts { shared.counts.withLock { $0 } }
}

/// What the reader and its thread share.
private final class Shared: Sendable {
    let counts = Mutex(RingBufferCounts())
    private let stopping = Atomic<Bool>(false)
    private let stopped = Atomic<Bool>(false)
    private let wakeRead: FileDescriptor
    private let wakeWrite: FileDescriptor

    init() throws(BPFError) {
        var ends: [Int32] = [0, 0]
        try check(unsafe bulkhead_make_wake_pipe(&ends), "make a pipe")
        wakeRead = FileDescriptor(owning: ends[0])
        wakeWrite = FileDescriptor(owning: ends[1])
    }

    func stop() {
        stopping.store(true, ordering: .releasing)
        var byte: UInt8 = 0
        _ = unsafe write(wakeWrite.rawValue, &byte, 1)
    }

    func waitUntilStopped() {
        while !stopped.load(ordering: .acquiring) { sched_yield() }
    }

    func run(_ source: some RecordSource, batchRecordCountMax: Int, _ handler: RingBufferHandler) {
        while !stopping.load(ordering: .acquiring) {
            let batch = source.drain(recordCountMax: batchRecordCountMax, handler.record)
            guard batch.records > 0 else {
                wait(for: source)
                continue
            }
            counts.withLock {
                $0.records += UInt64(batch.records)
                $0.bytes += UInt64(batch.bytes)
                $0.batches += 1
            }
            handler.batchEnd(batch.records)
        }
        stopped.store(true, ordering: .releasing)
    }

    private func wait(for source: some RecordSource) {
        var waits = [
            pollfd(fd: source.wakeDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeRead.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        // Few records wake nobody, and neither does one that was still being written when we looked: look again soon.
        _ = unsafe poll(&waits, 2, 100)
    }
}
