// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import EventDecoding
import EventModel
import FlowAggregation
import IdentityModel
import NetworkModel
import Synchronization

/// How fast events become flows with names, and that none is lost unseen.
///
/// The endpoint program writes an event for every packet (report interval 0); packets are test runs.
enum EventRate: Benchmark {
    static let name = "events"
    static let summary = "events decoded and enriched on one core; none lost at 300 000/s; every loss counted"
    private static let nanosecondsMax = 1000.0
    private static let steadyRate = 300_000
    /// Fits into the ring buffer at once.
    private static let fillCount = 16_000

    static func run(_ effort: Effort) throws -> [Row] {
        try BenchThread.run(in: .fresh) {
            let source = try EventSource()
            var cost = Samples()
            for round in 1...max(effort.rounds, 5) {
                cost.add(try consumption(of: fillCount, from: source))
                if round == 1 { _ = try consumption(of: fillCount, from: source) }
            }
            report("  events: ns CPU each: \(cost.values.map(ResultTable.number).joined(separator: ", "))")
            let steady = try stream(from: source, seconds: effort.isQuick ? 1 : 5, rate: steadyRate)
            report("  events at \(steadyRate)/s: \(steady)")
            let flood = try stream(from: source, seconds: effort.isQuick ? 1 : 3, rate: nil)
            report("  events in a flood: \(flood)")
            return [
                Row("event decoded and enriched", unit: "ns CPU", ours: cost.median, bound: nanosecondsMax),
                Row("events lost at 300 000/s", unit: "events", ours: Double(steady.lost), bound: 0),
                Row(
                    "events lost and not counted", unit: "events",
                    ours: Double(abs(steady.unaccounted) + abs(flood.unaccounted)), bound: 0),
            ]
        }
    }

    /// Fills the buffer, then lets a reader empty it; CPU nanoseconds of the reader's thread for each event.
    private static func consumption(of count: Int, from source: EventSource) throws -> Double {
        try source.emit(count)
        let consumer = EventConsumer()
        let reader = try consumer.start(source.fixture.events)
        try consumer.waitUntil(taken: count)
        reader.stop()
        return consumer.nanosecondsPerEvent
    }

    /// Packets for some seconds, paced in bursts of 10 ms or as fast as one core makes them, with a reader running.
    private static func stream(from source: EventSource, seconds: Int, rate: Int?) throws -> Accounts {
        let lostBefore = try source.lost
        let consumer = EventConsumer()
        let reader = try consumer.start(source.fixture.events)
        let end = Clocks.wall + UInt64(seconds) * 1_000_000_000
        var packets = 0, next = Clocks.wall
        while Clocks.wall < end {
            let burst = rate.map { $0 / 100 } ?? 20_000
            try source.emit(burst)
            packets += burst
            guard rate != nil else { continue }
            next += 10_000_000
            let now = Clocks.wall
            if next > now { Clocks.sleep(nanoseconds: next - now) }
        }
        let lost = try source.lost - lostBefore
        try consumer.waitUntil(taken: packets - Int(lost))
        Clocks.sleep(nanoseconds: 300_000_000)
        reader.stop()
        return Accounts(packets: packets, taken: consumer.taken, lost: Int(lost))
    }

    struct Accounts: CustomStringConvertible {
        let packets: Int
        let taken: Int
        let lost: Int

        /// Packets of which there is neither an event nor a count.
        var unaccounted: Int { packets - taken - lost }

        var description: String { "\(packets) packets, \(taken) events taken, \(lost) counted as lost" }
    }
}

/// The endpoint program in a mode in which every packet makes an event.
private final class EventSource {
    let fixture: DatapathFixture
    private let packet: [UInt8]

    init() throws {
        let state = BenchState(policyEntries: 1000, ipcacheEntries: 1000)
        let workloads = BenchState.workloads(client: 1, server: 2)
        fixture = try DatapathFixture(state: state.state, workloads: workloads, flows: 65_536, reportInterval: .zero)
        let connection = Connection(family: .ipv4, clientPort: 40_000)
        packet = connection.frame(flags: TCPFlags.ack)
        for flags in [TCPFlags.syn, TCPFlags.ack] {
            _ = try fixture.fromEndpoint.value.testRun(packet: connection.frame(flags: flags))
        }
        // Whatever these wrote is not part of any measurement.
        let consumer = EventConsumer()
        let reader = try consumer.start(fixture.events)
        try consumer.waitUntil(taken: 2)
        reader.stop()
    }

    /// Events that the kernel side could not write.
    var lost: UInt64 {
        get throws { try fixture.metric(Int(METRIC_EVENT_LOST)).packets }
    }

    func emit(_ count: Int) throws {
        _ = try fixture.fromEndpoint.value.testRun(packet: packet, repeatCount: Int32(count))
    }
}

/// What the agent does with events: decode in place, hand on in batches, give them names, keep the newest.
private final class EventConsumer: Sendable {
    private struct Pending {
        var flows: [FlowEvent] = []
        var taken = 0
        var firstClock: UInt64?
        var lastClock: UInt64 = 0
    }

    private let aggregator = FlowAggregator(capacity: 65_536)
    private let pending = Mutex(Pending())

    init() {
        var names = FlowNames(), owners: [IPAddress: EndpointName] = [:]
        for workload in BenchState.workloads(client: 1, server: 2) {
            let name = EndpointName(number: workload.number, name: "bench/\(workload.number)")
            names.setEndpoint(name)
            for address in workload.addresses { owners[address] = name }
            let label = Label(source: "bench", key: "app", value: "\(workload.number)")
            names.setIdentity(
                ResolvedIdentity(identity: NumericIdentity(rawValue: workload.identity), labels: LabelSet([label])))
        }
        names.setAddresses(owners)
        for slot in UInt32(32)..<4128 { names.setRule(RuleName(slot: slot, text: "rule \(slot)", source: nil)) }
        aggregator.setNames(names)
    }

    var taken: Int { pending.withLock { $0.taken } }

    /// CPU of the reader's thread from its first batch's end to its last's, so that its start does not count.
    var nanosecondsPerEvent: Double {
        pending.withLock { state in
            guard let first = state.firstClock, state.taken > 0 else { return .nan }
            return Double(state.lastClock - first) / Double(state.taken)
        }
    }

    func start(_ events: EventRings) throws -> RingBufferReader {
        try RingBufferReader(
            events,
            handler: RingBufferHandler(
                record: { [self] bytes in
                    pending.withLock { state in
                        if state.firstClock == nil { state.firstClock = Clocks.thread }
                        guard let event = FlowEvent(decoding: bytes) else { return }
                        state.flows.append(event)
                    }
                },
                batchEnd: { [self] _ in
                    let flows = pending.withLock { state in
                        defer { state.flows = [] }
                        return state.flows
                    }
                    aggregator.consume(flows, wallClockOffset: 0)
                    pending.withLock { state in
                        state.taken += flows.count
                        state.lastClock = Clocks.thread
                    }
                }))
    }

    func waitUntil(taken count: Int) throws {
        let end = Clocks.wall + 10_000_000_000
        while taken < count {
            guard Clocks.wall < end else {
                throw BenchError("waited 10 s for \(count) events, \(taken) came: the reader stands still")
            }
            Clocks.sleep(nanoseconds: 1_000_000)
        }
    }
}
