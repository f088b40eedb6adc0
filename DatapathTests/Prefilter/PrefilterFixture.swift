// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventDecoding
import EventModel
import FeedReading
import KernelDatapath
import KernelPrograms
import NetworkModel
import Testing

/// The prefilter's programs with tables of their own, and the agent's part of the work.
///
/// New for each test.
final class PrefilterFixture {
    private let programs: [Program: LoadedProgram]
    var tables: ShieldTables

    /// Of each scope so many; a set has four.
    static let limitEntries = 256

    private let eventRings: EventRings?

    /// The programs by the name of their test's way: loading one takes a tenth of a second, so only those that are run.
    enum Program: String {
        case frame = "xdp_prefilter"
        case skb = "tc_prefilter"
        case rawSkb = "tc_prefilter_raw"
        case asked = "tc_prefilter_asked"
        case askedRaw = "tc_prefilter_asked_raw"
    }

    private final class LoadedProgram {
        let program: BPFProgram
        init(_ program: consuming BPFProgram) { self.program = program }
    }

    /// - Parameters:
    ///   - ringBytes: Room for events; 0: there is nobody to tell.
    ///   - others: What is run besides the two usual ways.
    init(
        ringBytes: Int = 1 << 18, others: [Program] = [], _ change: (inout ShieldSettings) -> Void = { _ in }
    ) throws {
        let object = try BPFObject(.prefilter)
        let counts = try EventRings.elementCounts(forBytes: max(ringBytes, 1))
        try object.resize(map: EventRings.ringsName, entryCountMax: counts.rings)
        try object.resize(map: EventRings.eventsName, entryCountMax: counts.chunks)
        try object.resize(
            map: "prefilter_samples_map", entryCountMax: Int(PREFILTER_REASONS) * (try possibleCPUCount()))
        let sets = 3 * PrefilterFixture.limitEntries / Int(LIMIT_WAYS)
        try object.resize(map: "prefilter_limits_map", entryCountMax: sets)
        try object.resize(map: "prefilter_blocks_map", entryCountMax: 64)
        try ShieldSensors.shrink(object)
        let wanted = [.frame, .skb] + others
        try object.keep(programs: Set(wanted.map(\.rawValue)))
        try object.load()
        var programs: [Program: LoadedProgram] = [:]
        for program in wanted { programs[program] = LoadedProgram(try object.program(program.rawValue)) }
        let tables = try ShieldTables(object)
        eventRings =
            ringBytes == 0
            ? nil
            : try EventRings(
                rings: object.mapDescriptor(EventRings.ringsName), events: object.mapDescriptor(EventRings.eventsName),
                doorbell: object.mapDescriptor(EventRings.doorbellName))
        self.programs = programs
        self.tables = tables
        try configure(change)
    }

    func configure(_ change: (inout ShieldSettings) -> Void) throws {
        var settings = ShieldSettings()
        settings.mode = .enforce
        settings.limitEntries = PrefilterFixture.limitEntries
        settings.failsafePorts = []
        change(&settings)
        try tables.configure(settings, hasReflectorFilter: true)
    }

    /// Deny feed 1 and allow feed 128.
    func feeds(deny: [String] = [], allow: [String] = []) throws {
        let table = FeedTable(
            [
                .init(number: 1, prefixes: try deny.map { try #require(CIDR($0)) }),
                .init(number: 128, prefixes: try allow.map { try #require(CIDR($0)) }),
            ], firstAllowing: UInt8(FEED_ALLOW_FIRST))
        var (ipv4, ipv6) = (table.ipv4, table.ipv6)
        try tables.replaceFeeds(isIPv4: true, &ipv4)
        try tables.replaceFeeds(isIPv4: false, &ipv6)
    }

    /// How a packet comes in.
    enum Way: CaseIterable, Sendable {
        case frame
        case skb
        case rawSkb
    }

    /// The action, and the counters that moved by how much.
    func send(_ bytes: [UInt8], _ way: Way = .frame) throws -> (passed: Bool, moved: [Int: UInt64]) {
        let old = try counters()
        let passed: Bool
        switch way {
        case .frame: passed = try loaded(.frame).program.testRunFrame(bytes).action == 2
        case .skb: passed = try loaded(.skb).program.testRun(packet: bytes).verdict == UInt32(bitPattern: -1)
        case .rawSkb: passed = try loaded(.rawSkb).program.testRun(packet: bytes).verdict == UInt32(bitPattern: -1)
        }
        let new = try counters()
        return (
            passed,
            new.filter { $0.value != old[$0.key] }.mapValues { $0 }.reduce(into: [:]) { result, entry in
                result[entry.key] = entry.value - (old[entry.key] ?? 0)
            }
        )
    }

    /// Without looking at the counters, which takes longer.
    func sendQuietly(_ packet: Packet) throws { _ = try loaded(.frame).program.testRunFrame(packet.bytes) }

    private func loaded(_ program: Program) throws -> LoadedProgram {
        try #require(programs[program], "to be named when the fixture is made")
    }

    /// What leaves the host.
    func sendOut(_ packet: Packet, isFrame: Bool = true) throws {
        let bytes = isFrame ? packet.bytes : packet.networkBytes
        let result = try loaded(isFrame ? .asked : .askedRaw).program.testRun(packet: bytes)
        #expect(result.verdict == UInt32(bitPattern: -1), "nothing is dropped on the way out")
    }

    /// Actions of many runs over the same frame, and the mean time of one in ns.
    func time(_ packet: Packet, repeatCount: Int32) throws -> UInt32 {
        try loaded(.frame).program.testRunFrame(packet.bytes, repeatCount: repeatCount).nanoseconds
    }

    /// What was told since the last time.
    func events() throws -> [FlowEvent] {
        var events: [FlowEvent?] = []
        _ = eventRings?.drain(recordCountMax: .max) { events.append(FlowEvent(decoding: $0)) }
        return try events.map { try #require($0, "a record that nobody can read") }
    }

    /// Many runs over the same packet; true if the last one passed.
    ///
    /// As tcx has it: a test run of an XDP program waits for a grace period.
    func run(_ packet: Packet, repeatCount: Int32) throws -> Bool {
        let result = try loaded(.skb).program.testRun(packet: packet.bytes, repeatCount: repeatCount)
        return result.verdict == UInt32(bitPattern: -1)
    }

    func counters() throws -> [Int: UInt64] {
        var counters: [Int: UInt64] = [:]
        for index in 0..<PREFILTER_METRIC_COUNT { counters[index] = try tables.count(index).packets }
        return counters
    }
}

extension PrefilterFixture {
    /// The packet was dropped, in each way it may come, and only for this reason.
    func expectDrop(
        _ packet: Packet, _ reason: Int, ways: [Way] = [.frame, .skb],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for way in ways {
            let result = try send(packet.bytes, way)
            #expect(!result.passed, "\(way)", sourceLocation: sourceLocation)
            let drops = result.moved.filter { $0.key < PREFILTER_PASSED }
            #expect(drops == [PREFILTER_DROPPED + reason: 1], "\(way)", sourceLocation: sourceLocation)
        }
    }

    func expectPass(
        _ packet: Packet, counting index: Int = PREFILTER_PASSED, ways: [Way] = [.frame, .skb],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for way in ways {
            let result = try send(packet.bytes, way)
            #expect(result.passed, "\(way) \(result.moved)", sourceLocation: sourceLocation)
            #expect(result.moved[index] == 1, "\(way) \(result.moved)", sourceLocation: sourceLocation)
            #expect(!result.moved.keys.contains { $0 < PREFILTER_PASSED }, sourceLocation: sourceLocation)
        }
    }
}
