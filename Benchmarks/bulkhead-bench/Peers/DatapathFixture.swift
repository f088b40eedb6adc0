// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import IdentityModel
import KernelPrograms
import NetworkModel
import PolicyCompiler
import TableEncoding

/// The endpoint programs with their maps filled by hand: what the agent would leave in the kernel, without the agent.
final class DatapathFixture {
    /// One workload as the programs know it.
    struct Workload {
        let interface: UInt32
        let number: UInt16
        let subject: UInt16
        let identity: UInt32
        let addresses: [IPAddress]
    }

    let fromEndpoint: Program
    let toEndpoint: Program
    let events: EventRings
    private let object: BPFObject
    private let configuration: MappedArray

    /// Loads the programs, with room for `flows` entries in conntrack, and puts `state` in force.
    init(
        state: MapState, workloads: [Workload], flows: Int, reportInterval: Duration = .seconds(5),
        eventBytes: Int = 8 << 20
    ) throws {
        object = try BPFObject(.endpoint)
        try object.resize(map: "conntrack_map", entryCountMax: flows)
        let headElements = ConntrackTable.headElements(forFlows: flows)
        try object.resize(map: "conntrack_heads_map", entryCountMax: headElements)
        let eventElements = try EventRings.elementCounts(forBytes: eventBytes)
        try object.resize(map: EventRings.ringsName, entryCountMax: eventElements.rings)
        try object.resize(map: EventRings.eventsName, entryCountMax: eventElements.chunks)
        try object.load()
        fromEndpoint = Program(try object.program("tc_from_endpoint"))
        toEndpoint = Program(try object.program("tc_to_endpoint"))
        events = try EventRings(
            rings: object.mapDescriptor(EventRings.ringsName), events: object.mapDescriptor(EventRings.eventsName),
            doorbell: object.mapDescriptor(EventRings.doorbellName))
        // Sets the table up.
        _ = try ConntrackTable(
            table: object.mapDescriptor("conntrack_table_map"), heads: object.mapDescriptor("conntrack_heads_map"),
            nodes: object.mapDescriptor("conntrack_map"))
        configuration = try MappedArray(object.mapDescriptor("config_map"), name: "config_map")
        let tables = ShadowTables()
        try tables.rebuild(state)
        try copy(tables)
        try register(workloads)
        configure(tables, reportInterval: reportInterval)
    }

    /// Reads this resolver's answers; what these names below `suffix` resolve to is peer `number` for rules.
    func readNames(
        under suffix: DomainName, _ extents: [NameSelector.Extent], number: NumericIdentity, resolver: IPAddress
    ) throws {
        let settings: BPFMap<UInt32, fqdn_config> = try object.map("fqdn_config_map")
        let resolvers: BPFMap<ip_address, UInt32> = try object.map("fqdn_resolver_map")
        let selectors: BPFMap<fqdn_selector_key, fqdn_selector> = try object.map("fqdn_selector_map")
        var generator = SystemRandomNumberGenerator()
        let hash = NameHash(using: &generator)
        var value = fqdn_config()
        hash.store(in: &value)
        value.setLengths(of: [suffix])
        (value.is_enabled, value.query_seconds) = (1, 10)
        (value.ttl_min, value.ttl_max, value.grace_seconds, value.open_seconds) = (60, 86_400, 1, 3600)
        try settings.update(0, to: value)
        var address = ip_address()
        unsafe withUnsafeMutableBytes(of: &address) { unsafe $0.copyBytes(from: PacketBytes.mapped(resolver)) }
        try resolvers.update(address, to: 1)
        let globs: BPFMap<fqdn_glob_key, fqdn_glob> = try object.map("fqdn_glob_map")
        var shelves = NameGlobShelves()
        shelves.update(to: Set(extents.compactMap { NameSelector($0, suffix).glob }))
        for (index, shelf) in shelves.patterns.enumerated() {
            try globs.update(
                fqdn_glob_key(suffix, index, hash), to: fqdn_glob(shelf.map { ($0, number.rawValue) }))
        }
        let numbers = Dictionary(extents.map { ($0, number.rawValue) }) { first, _ in first }
        try selectors.update(
            fqdn_selector_key(suffix, hash),
            to: fqdn_selector(suffix, numbers: numbers, globs: shelves.patterns.count))
    }

    /// Packets and bytes of one counter, summed over the CPUs.
    func metric(_ index: Int) throws -> metric {
        let map: BPFMap<UInt32, CDatapathABI.metric> = try object.map("metrics_map")
        var sum = CDatapathABI.metric()
        for value in try map.valuesPerCPU(for: UInt32(index)) ?? [] {
            sum.packets += value.packets
            sum.bytes += value.bytes
        }
        return sum
    }

    /// Copies the image to both banks, as a commit followed by its echo would.
    private func copy(_ tables: ShadowTables) throws {
        let writes = tables.takeWrites()
        for table in KernelTable.allCases {
            let map = try MappedArray(object.mapDescriptor(table.rawValue), name: table.rawValue)
            let chunk = ShadowTables.chunkBytes(of: table)
            for write in writes where write.table == table {
                for bank in 0..<Int(BANK_COUNT) {
                    let offset = (write.range.chunk * Int(BANK_COUNT) + bank) * chunk + write.range.bytes.lowerBound
                    unsafe tables.withBytes(of: write) { unsafe map.write($0.bytes, at: offset) }
                }
            }
        }
    }

    private func register(_ workloads: [Workload]) throws {
        let endpoints: BPFMap<UInt32, endpoint_entry> = try object.map("endpoint_map")
        let owned: BPFMap<endpoint_address_key, UInt32> = try object.map("endpoint_address_map")
        for workload in workloads {
            let entry = endpoint_entry(
                ifindex: workload.interface, subject: UInt32(workload.subject), identity: workload.identity,
                endpoint: workload.number, flags: 0)
            try endpoints.update(workload.interface & UInt32(ENDPOINT_TABLE_SIZE - 1), to: entry)
            for address in workload.addresses {
                var key = endpoint_address_key()
                unsafe withUnsafeMutableBytes(of: &key.address) {
                    unsafe $0.copyBytes(from: PacketBytes.mapped(address))
                }
                key.endpoint = UInt32(workload.number)
                try owned.update(key, to: 1)
            }
        }
    }

    /// Counts a second as a thousand ticks: at a lower HZ all times are longer, which no figure depends on.
    private func configure(_ tables: ShadowTables, reportInterval: Duration) {
        let ticks: UInt32 = 1000
        var value = datapath_config()
        value.flags = UInt32(CONFIG_READY)
        value.bank_generation = (1, 1)
        value.ticks_per_second = ticks
        value.report_interval_ticks = UInt32(reportInterval.components.seconds) * ticks
        value.policy_bucket_mask = (tables.policy.bucketMask, tables.policy.bucketMask)
        unsafe withUnsafeMutableBytes(of: &value.timeout_ticks) {
            unsafe $0.withMemoryRebound(to: UInt32.self) { unsafe $0.update(repeating: 3600 * ticks) }
        }
        configuration.write(value, at: 0)
    }
}
