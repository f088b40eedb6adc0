// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import CParserHarness
import EventDecoding
import EventModel
import Glibc
import Testing

/// Runs `body` on the calling thread, on one CPU; afterwards the thread may run on any.
func onCPU(_ number: Int32, _ body: () throws -> Void) rethrows {
    #expect(bulkhead_test_run_on_cpu(number) == 0, "CPU \(number)")
    defer { _ = bulkhead_test_run_on_cpu(-1) }
    try body()
}

extension DatapathTests {
    /// The way of events out of the kernel: a ring for each CPU, one reader.
    @Suite struct EventRingTests {
        private let fixture: Fixture
        private let bytes = Packet.ip(Family.v4.own, to: Family.v4.peer).udp(1, 2).bytes
        private let passed = UInt32(bitPattern: -1)

        /// Every packet makes an event, and the flow is open.
        init() throws {
            fixture = try Fixture.fresh()
            fixture.setReportInterval(ticks: 0)
            _ = try fixture.run(bytes, .fromEndpoint)
            _ = fixture.maps.drainEvents()
        }

        private func send(_ count: Int, on cpu: Int32) throws {
            try onCPU(cpu) {
                for _ in 0..<count {
                    let action = try fixture.run(bytes, .fromEndpoint)
                    #expect(action == passed)
                }
            }
        }

        private var isCalled: Bool {
            var wait = pollfd(fd: fixture.maps.events.wakeDescriptor, events: Int16(POLLIN), revents: 0)
            return unsafe poll(&wait, 1, 0) == 1
        }

        @Test func `what several CPUs write comes out in the order of time, in batches of any size`() throws {
            var sent: UInt64 = 1
            for batch in [1, 7, 1000] {
                // Runs of different lengths, so that one ring is ahead of the other now and then.
                for (turn, count) in [1, 1, 5, 2, 1, 9, 3].enumerated() { try send(count, on: Int32(turn % 2)) }
                var numbers: [UInt64] = [], isMore = true
                while isMore {
                    let drained = fixture.maps.events.drain(recordCountMax: batch) { record in
                        if let event = FlowEvent(decoding: record) { numbers.append(UInt64(event.packets)) }
                    }
                    #expect(drained.records <= batch)
                    isMore = drained.records > 0
                }
                #expect(numbers == Array(sent + 1...sent + 22))
                sent += 22
            }
        }

        @Test func `a ring turns over many times and loses nothing that was read in time`() throws {
            var received = 0
            for _ in 0..<20 {
                try send(200, on: 0)
                received += fixture.maps.drainEvents().count
            }
            #expect(received == 4000)
        }

        @Test func `a full ring keeps its oldest events and does not touch another CPU's`() throws {
            try send(400, on: 0)
            try send(100, on: 1)
            let numbers = fixture.maps.drainEvents().map(\.packets)
            #expect(numbers == Array(2...257) + Array(402...501))
        }

        @Test func `the reader is woken once when a quarter of a ring waits, and not before`() throws {
            try send(63, on: 1)
            #expect(!isCalled)
            try send(1, on: 1)
            #expect(isCalled)
            #expect(fixture.maps.drainEvents().count == 64)
            #expect(!isCalled)
            try send(10, on: 1)
            #expect(!isCalled)
        }
    }
}
