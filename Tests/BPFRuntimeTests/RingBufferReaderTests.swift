// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelPrograms
import Synchronization
import Testing

extension KernelTests {
    @Suite struct RingBufferReaderTests {
        @Test func `records arrive whole, in order and counted, across many turns of the ring`() async throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            let program = try object.program("test_filter")
            let received = Received()
            let reader = try RingBufferReader(
                object.mapDescriptor("events_ringbuf"), name: "events_ringbuf", batchRecordCountMax: 64,
                handler: received.handler)
            // 1000 records of 24 bytes are almost six turns of the 4096-byte ring, in steps that fit.
            for round in 0..<10 {
                for index in 0..<100 { _ = try program.testRun(packet: frame(UInt8(index))) }
                try await received.wait(until: (round + 1) * 100)
            }
            reader.stop()
            let bytes = received.firstBytes.withLock { $0 }
            #expect(bytes == (0..<10).flatMap { _ in (0..<100).map(UInt32.init) })
            #expect(reader.counts.records == 1000)
            #expect(reader.counts.bytes == 16_000)
            #expect(reader.counts.batches <= 1000)
        }

        @Test func `a stopped reader leaves the rest to the next one`() async throws {
            let object = try BPFObject(.test_filter)
            try object.load()
            let descriptor = try object.mapDescriptor("events_ringbuf")
            let first = Received()
            let reader = try RingBufferReader(descriptor, name: "events_ringbuf", handler: first.handler)
            reader.stop()
            _ = try object.program("test_filter").testRun(packet: frame(9))
            let second = Received()
            let next = try RingBufferReader(descriptor, name: "events_ringbuf", handler: second.handler)
            try await second.wait(until: 1)
            next.stop()
            #expect(first.firstBytes.withLock { $0 } == [])
            #expect(second.firstBytes.withLock { $0 } == [9])
        }
    }
}

/// Collects what a reader delivers.
private final class Received: Sendable {
    let firstBytes = Mutex<[UInt32]>([])

    var handler: RingBufferHandler {
        RingBufferHandler(
            record: { record in
                let value = unsafe record.unsafeLoad(fromByteOffset: 4, as: UInt32.self)
                #expect(unsafe record.unsafeLoad(fromByteOffset: 12, as: UInt32.self) == ~value)
                self.firstBytes.withLock { $0.append(value) }
            },
            batchEnd: { count in #expect(count > 0) })
    }

    func wait(until count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while firstBytes.withLock({ $0.count }) < count {
            guard ContinuousClock.now < deadline else {
                throw BPFError(errno: ETIMEDOUT, operation: "receive \(count) records")
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}
