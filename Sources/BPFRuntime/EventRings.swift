// SPDX-License-Identifier: Apache-2.0
import CDatapathABI

/// The events of every CPU, read in place: `bpf/abi/event_ring.h`.
///
/// Any number may be open, but only one may be read from at a time.
package final class EventRings: RecordSource {
    package static let ringsName = "event_rings_map"
    package static let eventsName = "flow_events_map"
    package static let doorbellName = "event_doorbell"

    private static let ringBytes = MemoryLayout<event_ring>.stride
    private static let eventBytes = MemoryLayout<flow_event>.stride
    private static let readOffset = MemoryLayout<event_ring>.offset(of: \.read) ?? 0
    private static let timestampOffset = MemoryLayout<flow_event>.offset(of: \.timestamp) ?? 0

    private let rings: MappedArray
    private let events: MappedArray
    private let doorbell: RingBufferMemory
    private let ringCount: Int

    /// Opens the rings, and sets them up if nobody has yet; reading goes on where the last reader stopped.
    ///
    /// Throws if one of them cannot be mapped into memory.
    package init(
        rings: borrowing FileDescriptor, events: borrowing FileDescriptor, doorbell: borrowing FileDescriptor
    ) throws(BPFError) {
        self.rings = try MappedArray(rings, name: Self.ringsName)
        self.events = try MappedArray(events, name: Self.eventsName)
        self.doorbell = try RingBufferMemory(doorbell, name: Self.doorbellName)
        ringCount = self.rings.byteCount / Self.ringBytes
        if !isSetUp { setUp() }
    }

    /// Elements of the first two maps for about so many bytes of events: a ring for each CPU that the kernel may have.
    ///
    /// The chunks are fewer than would fill the bytes, by half at most, but one for each ring at least.
    package static func elementCounts(forBytes byteCount: Int) throws(BPFError) -> (rings: Int, chunks: Int) {
        let cpus = try possibleCPUCount()
        let wanted = max(byteCount / (cpus * Int(EVENTS_PER_CHUNK) * eventBytes), 1)
        return (cpus, cpus << (Int.bitWidth - 1 - wanted.leadingZeroBitCount))
    }

    /// Whether every ring lies within the events; programs trust what is written here.
    private var isSetUp: Bool {
        (0..<ringCount).allSatisfy { number in
            let ring = rings.value(at: number * Self.ringBytes, as: event_ring.self)
            let end = Int(ring.first_chunk) * Int(EVENTS_PER_CHUNK) + Int(ring.slot_count)
            return ring.slot_count.nonzeroBitCount == 1 && end * Self.eventBytes <= events.byteCount
        }
    }

    /// Gives each ring its part of the chunks.
    private func setUp() {
        let chunks = events.byteCount / (Int(EVENTS_PER_CHUNK) * Self.eventBytes) / ringCount
        for number in 0..<ringCount {
            var ring = event_ring()
            ring.first_chunk = UInt32(number * chunks)
            ring.slot_count = UInt32(chunks) * UInt32(EVENTS_PER_CHUNK)
            rings.write(ring, at: number * Self.ringBytes)
        }
    }

    package var wakeDescriptor: Int32 { doorbell.wakeDescriptor }

    /// Hands out what is there now, oldest first over all CPUs, and gives the space back to the kernel side.
    package func drain(recordCountMax: Int, _ body: (RawSpan) -> Void) -> (records: Int, bytes: Int) {
        // Answered before looking: who rings from now on has something that we may miss.
        _ = doorbell.drain(recordCountMax: .max) { _ in }
        var runs = (0..<ringCount).compactMap(waiting)
        let touched = runs.map(\.ring)
        var ends: [Int: UInt64] = [:]
        var records = 0
        while !runs.isEmpty, records < recordCountMax {
            let (first, until) = oldest(runs)
            repeat {
                events.withBytes(at: runs[first].offset, count: Self.eventBytes, body)
                runs[first].position += 1
                records += 1
            } while runs[first].position < runs[first].end && records < recordCountMax
                && timestamp(runs[first]) <= until
            ends[runs[first].ring] = runs[first].position
            if runs[first].position == runs[first].end { runs.remove(at: first) }
        }
        for ring in touched {
            if let end = ends[ring] { rings.storeReleasingDoubleWord(end, at: ring * Self.ringBytes + Self.readOffset) }
        }
        return (records, records * Self.eventBytes)
    }
}

// MARK: - Order

/// The events of one ring that nobody has read.
private struct Run {
    let ring: Int
    let slotMask: UInt64
    let firstByte: Int
    var position: UInt64
    let end: UInt64

    /// Where the next event begins.
    var offset: Int { firstByte + Int(position & slotMask) * MemoryLayout<flow_event>.stride }
}

extension EventRings {
    private func waiting(in number: Int) -> Run? {
        let written = rings.loadAcquiringDoubleWord(at: number * Self.ringBytes)
        let ring = rings.value(at: number * Self.ringBytes, as: event_ring.self)
        guard written != ring.read, written &- ring.read <= UInt64(ring.slot_count) else { return nil }
        return Run(
            ring: number, slotMask: UInt64(ring.slot_count) - 1,
            firstByte: Int(ring.first_chunk) * Int(EVENTS_PER_CHUNK) * Self.eventBytes, position: ring.read,
            end: written)
    }

    private func timestamp(_ run: Run) -> UInt64 {
        events.value(at: run.offset + Self.timestampOffset, as: UInt64.self)
    }

    /// The run with the oldest event, and the time until which no other run has an older one.
    private func oldest(_ runs: [Run]) -> (index: Int, until: UInt64) {
        var (index, least, next) = (0, timestamp(runs[0]), UInt64.max)
        for other in runs.indices.dropFirst() {
            let time = timestamp(runs[other])
            if time < least {
                (index, least, next) = (other, time, least)
            } else {
                next = min(next, time)
            }
        }
        return (index, next)
    }
}
