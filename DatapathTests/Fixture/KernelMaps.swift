// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventDecoding
import EventModel
import KernelDatapath
import KernelPrograms
import NetworkModel
import Synchronization
import TableEncoding

/// Handles on every map and program of one loaded object.
final class KernelMaps: Sendable {
    let endpoints: BPFMap<UInt32, endpoint_entry>
    let endpointOverflow: BPFMap<UInt32, endpoint_entry>
    let addresses: BPFMap<endpoint_address_key, UInt32>
    let failsafe: BPFMap<failsafe_key, UInt32>
    let conntrack: ConntrackTable
    let fragments: BPFMap<fragment_key, fragment_entry>
    let endpointFlows: BPFMap<UInt32, UInt32>
    let kept: BPFMap<conntrack_key, UInt32>
    private let untrackedReports: BPFMap<UInt32, UInt64>
    let serviceConfig: BPFMap<UInt32, service_config>
    let serviceUsers: BPFMap<UInt32, endpoint_entry>
    let synSettings: MappedArray
    let synGates: BPFMap<syn_gate_key, syn_gate>
    let synPublished: BPFMap<syn_published_key, syn_published>
    let config: MappedArray
    private let metricsMap: BPFMap<UInt32, metric>
    private let ruleStats: BPFMap<UInt32, rule_stats>
    private let subjects: MappedArray
    private let policyHeads: MappedArray
    private let policyEntries: MappedArray
    private let ipcache: MappedArray
    let events: EventRings
    let names: NameMaps
    private let fromEndpoint: BPFProgram
    private let toEndpoint: BPFProgram
    private let fromNetwork: BPFProgram
    private let toNetwork: BPFProgram
    private let fromSocket: BPFProgram
    private let toSocket: BPFProgram
    /// Held: the kernel empties a table of programs that nobody has open.
    private let hostPrograms: BPFMap<UInt32, Int32>
    private let sensePrograms: BPFMap<UInt32, Int32>

    init(conntrackSize: Int = Fixture.conntrackSize) throws(BPFError) {
        let object = try BPFObject(.endpoint)
        try object.resize(map: "conntrack_map", entryCountMax: conntrackSize)
        let headElements = ConntrackTable.headElements(forFlows: conntrackSize)
        try object.resize(map: "conntrack_heads_map", entryCountMax: headElements)
        try object.resize(map: "policy_entries_map", entryCountMax: 2 * 2)
        try object.resize(map: "ipcache_map", entryCountMax: 2 * 24)
        let eventElements = try EventRings.elementCounts(forBytes: 0)
        try object.resize(map: EventRings.ringsName, entryCountMax: eventElements.rings)
        try object.resize(map: EventRings.eventsName, entryCountMax: eventElements.chunks)
        try object.load()
        let services = try BPFObject(.service)
        for name in services.mapNames { try services.reuse(object.mapDescriptor(name), asMap: name) }
        try services.load()
        endpoints = try object.map("endpoint_map")
        endpointOverflow = try object.map("endpoint_overflow_map")
        addresses = try object.map("endpoint_address_map")
        failsafe = try object.map("failsafe_map")
        conntrack = try ConntrackTable(
            table: object.mapDescriptor("conntrack_table_map"), heads: object.mapDescriptor("conntrack_heads_map"),
            nodes: object.mapDescriptor("conntrack_map"))
        fragments = try object.map("fragment_map")
        endpointFlows = try object.map("endpoint_flows_map")
        metricsMap = try object.map("metrics_map")
        ruleStats = try object.map("rule_stats_map")
        kept = try object.map("kept_flow_map")
        untrackedReports = try object.map("untracked_report_map")
        serviceConfig = try object.map("service_config_map")
        serviceUsers = try object.map("service_user_map")
        synSettings = try MappedArray(object.mapDescriptor("syn_settings_map"), name: "syn_settings_map")
        synGates = try object.map("syn_gates_map")
        synPublished = try object.map("syn_published_map")
        config = try MappedArray(object.mapDescriptor("config_map"), name: "config_map")
        subjects = try MappedArray(object.mapDescriptor("subject_map"), name: "subject_map")
        policyHeads = try MappedArray(object.mapDescriptor("policy_heads_map"), name: "policy_heads_map")
        policyEntries = try MappedArray(object.mapDescriptor("policy_entries_map"), name: "policy_entries_map")
        ipcache = try MappedArray(object.mapDescriptor("ipcache_map"), name: "ipcache_map")
        events = try EventRings(
            rings: object.mapDescriptor(EventRings.ringsName), events: object.mapDescriptor(EventRings.eventsName),
            doorbell: object.mapDescriptor(EventRings.doorbellName))
        names = try NameMaps(object)
        hostPrograms = try object.map("host_programs_map")
        sensePrograms = try object.map("sense_programs_map")
        fromEndpoint = try object.program(Hook.fromEndpoint.rawValue)
        toEndpoint = try object.program(Hook.toEndpoint.rawValue)
        fromNetwork = try object.program(Hook.fromNetwork.rawValue)
        toNetwork = try object.program(Hook.toNetwork.rawValue)
        fromSocket = try services.program(Hook.fromSocket.rawValue)
        toSocket = try services.program(Hook.toSocket.rawValue)
    }

    /// Empties every map that packets and tests fill; tables of banks are overwritten by the next commit.
    func clear() throws(BPFError) {
        try KernelMaps.empty(endpointOverflow)
        try KernelMaps.empty(addresses)
        try KernelMaps.empty(failsafe)
        try KernelMaps.empty(kept)
        try KernelMaps.empty(serviceUsers)
        try KernelMaps.empty(synGates)
        try KernelMaps.empty(synPublished)
        synSettings.storeReleasingDoubleWord(0, at: MemoryLayout<syn_settings>.offset(of: \.armed_until) ?? 0)
        try serviceConfig.update(0, to: service_config())
        conntrack.clear()
        try KernelMaps.empty(fragments)
        try untrackedReports.update((0..<UInt32(1024)).map { (key: $0, value: 0) })
        try names.clear()
        for endpoint in [0, UInt32(Fixture.endpoint), 8] { try endpointFlows.update(endpoint, to: 0) }
    }

    /// Puts the prefilter's programs where the endpoints' look for them, as the agent does.
    func fillSensePrograms(_ prefilter: borrowing BPFObject) throws(BPFError) {
        for (index, name) in ShieldSensors.programs.enumerated() {
            let program = try prefilter.program(name)
            try sensePrograms.update(UInt32(index), to: program.descriptor.rawValue)
        }
    }

    func emptySensePrograms() throws(BPFError) {
        for index in ShieldSensors.programs.indices { try sensePrograms.remove(UInt32(index)) }
    }

    static func empty<Key, Value>(_ map: borrowing BPFMap<Key, Value>) throws(BPFError) {
        var keys: [Key] = []
        try map.forEach { key, _ in keys.append(key) }
        for key in keys { try map.remove(key) }
    }

    /// Copies bytes into a banked table.
    func write(_ bytes: RawSpan, to table: KernelTable, at offset: Int) {
        switch table {
        case .policyHeads: policyHeads.write(bytes, at: offset)
        case .policyEntries: policyEntries.write(bytes, at: offset)
        case .ipcache: ipcache.write(bytes, at: offset)
        case .subjects: subjects.write(bytes, at: offset)
        }
    }

    /// Runs a program on a frame and returns its action.
    func program(_ hook: Hook, _ bytes: [UInt8], _ context: PacketContext) throws(BPFError) -> UInt32 {
        switch hook {
        case .fromEndpoint: try fromEndpoint.testRun(packet: bytes, context: context).verdict
        case .toEndpoint: try toEndpoint.testRun(packet: bytes, context: context).verdict
        case .fromNetwork: try fromNetwork.testRun(packet: bytes, context: context).verdict
        case .toNetwork: try toNetwork.testRun(packet: bytes, context: context).verdict
        case .fromSocket: KernelMaps.action(try fromSocket.testRun(packet: bytes, context: context).verdict)
        case .toSocket: KernelMaps.action(try toSocket.testRun(packet: bytes, context: context).verdict)
        }
    }

    /// What a program on a cgroup says (1: pass, 0: drop), as one on a device says it.
    private static func action(_ verdict: UInt32) -> UInt32 { verdict == 1 ? UInt32(bitPattern: -1) : 2 }

    /// Takes every event out of the rings.
    func drainEvents() -> [FlowEvent] {
        var received: [FlowEvent] = []
        _ = events.drain(recordCountMax: .max) { bytes in
            if let event = FlowEvent(decoding: bytes) { received.append(event) }
        }
        return received
    }

    /// All metrics that ever moved, summed over the CPUs.
    func metrics() throws(BPFError) -> [Int: Count] {
        var counts: [Int: Count] = [:]
        for index in 0..<UInt32(METRIC_COUNT) {
            let values = try metricsMap.valuesPerCPU(for: index) ?? []
            let count = values.reduce(into: Count(packets: 0, bytes: 0)) {
                $0.packets += $1.packets
                $0.bytes += $1.bytes
            }
            if count.packets > 0 { counts[Int(index)] = count }
        }
        return counts
    }

    /// The counters of the first rule slots that ever moved, summed over the CPUs.
    func ruleCounts() throws(BPFError) -> [RuleCounter: Count] {
        var counts: [RuleCounter: Count] = [:]
        for slot in 0..<Fixture.ruleSlotsRead {
            let values = try ruleStats.valuesPerCPU(for: slot) ?? []
            for direction in Direction.allCases {
                let isEgress = direction == .egress
                let packets = values.reduce(0) { $0 + (isEgress ? $1.packets.0 : $1.packets.1) }
                let bytes = values.reduce(0) { $0 + (isEgress ? $1.bytes.0 : $1.bytes.1) }
                guard packets > 0 else { continue }
                counts[RuleCounter(rule: slot, direction: direction)] = Count(packets: packets, bytes: bytes)
            }
        }
        return counts
    }
}
