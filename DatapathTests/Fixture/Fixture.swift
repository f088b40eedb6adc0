// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import CLinuxShim
import EventDecoding
import EventModel
import IdentityModel
import KernelPrograms
import NetworkModel
import PolicyCompiler
import TableEncoding
import Testing

/// The kernel programs with maps of their own (no pins), one endpoint, and the agent's part of the work.
///
/// Loaded once for all tests; `fresh()` empties the maps and puts the initial state in.
final class Fixture: @unchecked Sendable {
    static let endpoint: UInt16 = 7
    static let subject: UInt16 = 3
    static let identity: UInt32 = 1007
    static let peerIdentity = NumericIdentity(rawValue: 2001)
    static let strangerIdentity = NumericIdentity(rawValue: 2002)
    static let defaultDenyRule: UInt32 = 60
    static let ticksPerSecond: UInt32 = 250
    /// Rule slots below this are compared before and after each packet.
    static let ruleSlotsRead: UInt32 = 64
    static let conntrackSize = 1024
    static let initialGeneration: UInt32 = 41

    // Used by one test at a time: the suites are serialized.
    private static nonisolated(unsafe) var loaded: Fixture?

    let maps: KernelMaps
    var tables = ShadowTables(capacity: .init(policyBuckets: 4096, policyEntries: 65536, ipcacheChunks: 24))
    var config = datapath_config()
    private var metricsBefore: [Int: Count] = [:]
    private var rulesBefore: [RuleCounter: Count] = [:]

    private init() throws { maps = try KernelMaps() }

    /// The fixture with empty maps, an endpoint with addresses of both families, and no policy.
    static func fresh() throws -> Fixture {
        let fixture = try unsafe loaded ?? Fixture()
        unsafe loaded = fixture
        try fixture.reset()
        return fixture
    }

    private func reset() throws {
        try maps.clear()
        config = datapath_config()
        config.flags = UInt32(CONFIG_READY)
        config.ticks_per_second = Fixture.ticksPerSecond
        config.report_interval_ticks = 3600 * Fixture.ticksPerSecond
        config.conntrack_share = 0
        config.forward_subject = 0
        config.untracked_subject = 0
        config.bank_generation = (Fixture.initialGeneration, Fixture.initialGeneration)
        config.policy_bucket_mask = (4095, 4095)
        setTimeouts { _ in 60 * Fixture.ticksPerSecond }
        try setEndpoint()
        for family in Family.allCases {
            try addAddress(family.own)
            try addAddress(family.ownSecond)
        }
        forgetCounters()
        try commit(TestPolicy())
    }

    // MARK: - Setting

    /// Writes the record of interface 1.
    func setEndpoint(flags: Int = 0, ifindex: UInt32 = 1, subject: UInt16 = Fixture.subject) throws {
        let record = endpoint_entry(
            ifindex: ifindex, subject: UInt32(subject), identity: Fixture.identity,
            endpoint: Fixture.endpoint, flags: UInt16(flags))
        try maps.endpoints.update(1, to: record)
    }

    func addAddress(_ address: IPAddress) throws {
        try maps.addresses.update(address.endpointKey(Fixture.endpoint), to: 1)
    }

    func removeAddress(_ address: IPAddress) throws {
        try maps.addresses.remove(address.endpointKey(Fixture.endpoint))
    }

    /// Writes the configuration as it stands in `config`.
    func writeConfig() { maps.config.write(config, at: 0) }

    func setFlags(_ flags: Int...) {
        config.flags = flags.reduce(UInt32(CONFIG_READY)) { $0 | UInt32($1) }
        writeConfig()
    }

    func setReportInterval(ticks: UInt32) {
        config.report_interval_ticks = ticks
        writeConfig()
    }

    /// Sets every state's time-out, in ticks.
    func setTimeouts(_ ticks: (Int) -> UInt32) {
        unsafe withUnsafeMutableBytes(of: &config.timeout_ticks) { bytes in
            for state in 0..<Int(CONNTRACK_TIMEOUT_COUNT) {
                unsafe bytes.storeBytes(of: ticks(state), toByteOffset: 4 * state, as: UInt32.self)
            }
        }
        writeConfig()
    }

    // MARK: - Policy

    /// The identities that the tests' addresses have.
    static let mappings: [CIDR: NumericIdentity] = {
        var mappings: [CIDR: NumericIdentity] = [:]
        for family in Family.allCases {
            mappings[CIDR(host: family.peer)] = peerIdentity
            mappings[CIDR(host: family.stranger)] = strangerIdentity
            mappings[CIDR(host: family.own)] = NumericIdentity(rawValue: identity)
        }
        return mappings
    }()

    /// Makes a policy the one in force, as the agent does: inactive bank, switch, other bank.
    func commit(_ policy: TestPolicy, generation: UInt32? = nil) throws {
        var state = policy.mapState
        state.ipcache = Fixture.mappings
        try commit(state, generation: generation)
    }

    /// `underTraffic`: packets run on other threads, so wait until none reads the bank that is written next.
    func commit(_ state: MapState, generation: UInt32? = nil, underTraffic: Bool = false) throws {
        let writes = try stage(state, generation: generation)
        switchBank()
        if underTraffic { #expect(bulkhead_membarrier_global() == 0) }
        write(writes, toBank: 1 - Int(config.active_bank), generation: generation)
    }

    /// Writes a state to the inactive bank only; returns what the other bank lacks after the switch.
    func stage(_ state: MapState, generation: UInt32? = nil) throws -> [TableWrite] {
        try tables.rebuild(state)
        let writes = tables.takeWrites()
        write(writes, toBank: 1 - Int(config.active_bank), generation: generation)
        return writes
    }

    func switchBank() {
        config.active_bank = 1 - config.active_bank
        writeConfig()
    }

    private func write(_ writes: [TableWrite], toBank bank: Int, generation: UInt32?) {
        for write in writes {
            let chunk = ShadowTables.chunkBytes(of: write.table)
            let offset = (write.range.chunk * 2 + bank) * chunk + write.range.bytes.lowerBound
            unsafe tables.withBytes(of: write) { unsafe maps.write($0.bytes, to: write.table, at: offset) }
        }
        if bank == 0 {
            config.bank_generation.0 = generation ?? config.bank_generation.0
        } else {
            config.bank_generation.1 = generation ?? config.bank_generation.1
        }
        writeConfig()
    }

    // MARK: - Packets

    /// Runs one packet and gathers everything it caused.
    @discardableResult
    func send(_ packet: Packet, _ hook: Hook = .fromEndpoint, cameFrom ingressIfindex: UInt32 = 0) throws -> Outcome {
        try send(bytes: packet.bytes, length: packet.ipLength, hook, cameFrom: ingressIfindex)
    }

    /// Runs a frame; `length` is what counters should show.
    @discardableResult
    func send(bytes: [UInt8], length: Int, _ hook: Hook, cameFrom ingressIfindex: UInt32 = 0) throws -> Outcome {
        if metricsBefore.isEmpty { (metricsBefore, rulesBefore) = (try maps.metrics(), try maps.ruleCounts()) }
        let action = try run(bytes, hook, cameFrom: ingressIfindex)
        let (metrics, rules) = (try maps.metrics(), try maps.ruleCounts())
        defer { (metricsBefore, rulesBefore) = (metrics, rules) }
        return Outcome(
            hook: hook, length: length, action: action, events: maps.drainEvents(),
            metrics: metrics.moved(since: metricsBefore), rules: rules.moved(since: rulesBefore))
    }

    /// Runs one packet and looks at nothing but the verdict: for many packets.
    func run(_ bytes: [UInt8], _ hook: Hook, cameFrom ingressIfindex: UInt32 = 0) throws -> UInt32 {
        var context = PacketContext(ifindex: 1)
        context.ingressIfindex = ingressIfindex
        return try maps.program(hook, bytes, context)
    }

    /// Forgets what `send` compares with, after packets that went through `run`.
    func forgetCounters() {
        metricsBefore = [:]
        _ = maps.drainEvents()
    }
}

extension Dictionary where Value == Count {
    /// What grew, by how much.
    fileprivate func moved(since before: Self) -> Self {
        reduce(into: [:]) { result, entry in
            let old = before[entry.key] ?? Count(packets: 0, bytes: 0)
            guard entry.value != old else { return }
            result[entry.key] = Count(
                packets: entry.value.packets - old.packets, bytes: entry.value.bytes - old.bytes)
        }
    }
}

extension Fixture {
    /// Damages both banks: every bucket leads to the first entry, which leads to itself.
    func closeChainsIntoRings() throws {
        for bank in 0..<2 {
            let heads = [UInt32](repeating: 1, count: 4096)
            unsafe heads.withUnsafeBytes { bytes in
                unsafe maps.write(bytes.bytes, to: .policyHeads, at: bank * Int(POLICY_CHUNK_BYTES))
            }
            var ring = policy_entry()
            ring.next = 1
            unsafe withUnsafeBytes(of: &ring) { bytes in
                unsafe maps.write(bytes.bytes, to: .policyEntries, at: bank * Int(POLICY_CHUNK_BYTES))
            }
        }
    }
}
