// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import EventDecoding
import EventModel
import IdentityModel
import KernelPrograms
import NetworkModel
import TableEncoding

/// The endpoint programs with tables of their own, for packets that run through them one at a time.
final class ProbeDatapath {
    /// How large the tables are, per bank.
    let capacity: ShadowTables.Capacity
    private let fromEndpoint: BPFProgram
    private let toEndpoint: BPFProgram
    private let fromNetwork: BPFProgram
    private let toNetwork: BPFProgram
    /// Held: the kernel empties a table of programs that nobody has open.
    private let hostPrograms: BPFMap<UInt32, Int32>
    private let endpoints: BPFMap<UInt32, endpoint_entry>
    private let addresses: BPFMap<endpoint_address_key, UInt32>
    private let names: MappedArray
    private let conntrack: ConntrackTable
    private let events: EventRings
    private let configuration: MappedArray
    private let policyHeads: MappedArray
    private let policyEntries: MappedArray
    private let ipcache: MappedArray
    private let subjects: MappedArray
    private var config = datapath_config()
    private var knownAddresses: [endpoint_address_key] = []
    /// Buckets of `names` that hold something.
    private var namedBuckets: Set<Int> = []

    /// The loopback interface: every network namespace has it under this number, and a test run only names it.
    private static let interface: UInt32 = 1
    /// A probe has two ends.
    private static let flowCount = 16

    /// Loads programs and maps; nothing is pinned or attached.
    init(_ capacity: ShadowTables.Capacity) throws(BPFError) {
        let object = try BPFObject(.endpoint)
        try ProbeDatapath.resize(object, to: capacity)
        try object.load()
        self.capacity = capacity
        fromEndpoint = try object.program("tc_from_endpoint")
        toEndpoint = try object.program("tc_to_endpoint")
        fromNetwork = try object.program("tc_from_network")
        toNetwork = try object.program("tc_to_network")
        hostPrograms = try object.map("host_programs_map")
        endpoints = try object.map("endpoint_map")
        addresses = try object.map("endpoint_address_map")
        names = try MappedArray(object.mapDescriptor("fqdn_number_map"), name: "fqdn_number_map")
        conntrack = try ConntrackTable(
            table: object.mapDescriptor("conntrack_table_map"), heads: object.mapDescriptor("conntrack_heads_map"),
            nodes: object.mapDescriptor("conntrack_map"))
        events = try EventRings(
            rings: object.mapDescriptor(EventRings.ringsName), events: object.mapDescriptor(EventRings.eventsName),
            doorbell: object.mapDescriptor(EventRings.doorbellName))
        configuration = try MappedArray(object.mapDescriptor("config_map"), name: "config_map")
        policyHeads = try ProbeDatapath.table(.policyHeads, of: object)
        policyEntries = try ProbeDatapath.table(.policyEntries, of: object)
        ipcache = try ProbeDatapath.table(.ipcache, of: object)
        subjects = try ProbeDatapath.table(.subjects, of: object)
        config.flags = UInt32(CONFIG_READY)
        config.ticks_per_second = 1000
        // No flow ends by time: flows are forgotten before each probe.
        unsafe withUnsafeMutableBytes(of: &config.timeout_ticks) { bytes in
            unsafe bytes.withMemoryRebound(to: UInt32.self) { unsafe $0.update(repeating: 1 << 30) }
        }
    }

    /// Tables as large as asked for, and hardly any room for flows and events.
    private static func resize(
        _ object: borrowing BPFObject, to capacity: ShadowTables.Capacity
    ) throws(BPFError) {
        func chunks(_ count: Int, of size: Int) -> Int {
            (count * size + Int(POLICY_CHUNK_BYTES) - 1) / Int(POLICY_CHUNK_BYTES)
        }
        let banks = Int(BANK_COUNT)
        let events = try EventRings.elementCounts(forBytes: 0)
        for (name, count) in [
            (KernelTable.policyHeads.rawValue, banks * chunks(capacity.policyBuckets, of: MemoryLayout<UInt32>.stride)),
            (
                KernelTable.policyEntries.rawValue,
                banks * chunks(capacity.policyEntries, of: MemoryLayout<policy_entry>.stride)
            ),
            (KernelTable.ipcache.rawValue, banks * capacity.ipcacheChunks),
            ("conntrack_map", flowCount), ("conntrack_heads_map", ConntrackTable.headElements(forFlows: flowCount)),
            (EventRings.ringsName, events.rings), (EventRings.eventsName, events.chunks),
        ] {
            try object.resize(map: name, entryCountMax: count)
        }
    }

    private static func table(_ table: KernelTable, of object: borrowing BPFObject) throws(BPFError) -> MappedArray {
        try MappedArray(object.mapDescriptor(table.rawValue), name: table.rawValue)
    }

    /// True if tables of this capacity fit.
    func holds(_ other: ShadowTables.Capacity) -> Bool {
        other.policyBuckets <= capacity.policyBuckets && other.policyEntries <= capacity.policyEntries
            && other.ipcacheChunks <= capacity.ipcacheChunks
    }

    /// Writes freshly built tables to the bank that is not in force, and switches.
    func commit(_ tables: ShadowTables) {
        let bank = Int(1 - config.active_bank)
        for write in tables.takeWrites() {
            let chunk = ShadowTables.chunkBytes(of: write.table)
            let offset = (write.range.chunk * Int(BANK_COUNT) + bank) * chunk + write.range.bytes.lowerBound
            unsafe tables.withBytes(of: write) { bytes in
                switch write.table {
                case .policyHeads: unsafe policyHeads.write(bytes.bytes, at: offset)
                case .policyEntries: unsafe policyEntries.write(bytes.bytes, at: offset)
                case .ipcache: unsafe ipcache.write(bytes.bytes, at: offset)
                case .subjects: unsafe subjects.write(bytes.bytes, at: offset)
                }
            }
        }
        if bank == 0 {
            config.policy_bucket_mask.0 = tables.policy.bucketMask
        } else {
            config.policy_bucket_mask.1 = tables.policy.bucketMask
        }
        config.active_bank = UInt32(bank)
        configuration.write(config, at: 0)
    }
}

// MARK: - Endpoints

extension ProbeDatapath {
    /// Puts an endpoint behind the interface that the packets name.
    func setEndpoint(_ number: UInt16, subject: UInt16, identity: UInt32, isHost: Bool) throws(BPFError) {
        let entry = endpoint_entry(
            ifindex: ProbeDatapath.interface, subject: UInt32(subject), identity: identity, endpoint: number,
            flags: isHost ? UInt16(ENDPOINT_HOST) : 0)
        try endpoints.update(ProbeDatapath.interface, to: entry)
    }

    /// Says which addresses are an endpoint's own.
    func addAddresses(_ own: [IPAddress], of number: UInt16) throws(BPFError) {
        let keys = own.map {
            endpoint_address_key(address: ip_address(bytes: $0.networkBytes), endpoint: UInt32(number))
        }
        try addresses.update(keys.map { (key: $0, value: 1) })
        knownAddresses += keys
    }

    /// Neither own addresses nor names of others are known afterwards.
    func forgetAddresses() throws(BPFError) {
        try addresses.remove(knownAddresses)
        knownAddresses = []
        for bucket in namedBuckets { names.write(fqdn_marks(), at: bucket * names.elementStride) }
        namedBuckets = []
    }

    /// Gives an address exactly these numbers of names, for an endpoint, without end.
    ///
    /// In ascending order: of rules that weigh the same the program takes the first, as the model does.
    func learn(_ numbers: [NumericIdentity], of address: IPAddress, at endpoint: UInt16) {
        // These programs have no secrets.
        let secrets = fqdn_config(), end = UInt32.max / 2
        let place = unsafe withUnsafePointer(to: secrets) {
            unsafe fqdn_scatter($0, UInt32(endpoint), address.high.bigEndian, address.low.bigEndian, 0)
        }
        let tag = fqdn_tag(place, UInt32(endpoint)), own = ip_address(bytes: address.networkBytes)
        let bucket = Int(fqdn_bucket(place, UInt32(FQDN_NUMBER_BUCKETS)))
        let expected = numbers.map { UInt64($0.rawValue) }.sorted()
        if !expected.isEmpty { namedBuckets.insert(bucket) }
        unsafe names.withElement(bucket, as: fqdn_fact_bucket.self) { bucket in
            // Nobody else's matter in this probe, and in a full bucket they would change the order.
            unsafe bucket.pointee.head = fqdn_marks()
            for number in expected {
                var fact = fqdn_fact(address: own, what: number)
                _ = unsafe fqdn_note_fact(bucket, &fact, tag, end, 0)
            }
        }
    }

    /// Slots by which what passes through the host is judged, and what crosses its devices ahead of flows; 0: it is not.
    func setStages(forward: UInt16, untracked: UInt16) {
        guard (config.forward_subject, config.untracked_subject) != (UInt32(forward), UInt32(untracked)) else { return }
        (config.forward_subject, config.untracked_subject) = (UInt32(forward), UInt32(untracked))
        configuration.write(config, at: 0)
    }

    func forgetFlows() { conntrack.clear() }
}

// MARK: - Packets

extension ProbeDatapath {
    /// Runs a frame past the selected endpoint; what the programs report of it, the last word last.
    ///
    /// Two reports if policies without flows, in audit mode, would deny it and others are asked after them. None if nobody is
    /// asked: what passes through and no policy on forward is about.
    ///
    /// `isForwarded`: it has come in by some device, this one or another.
    func run(_ frame: [UInt8], _ direction: Direction, isHost: Bool, isForwarded: Bool) throws -> [FlowEvent] {
        var context = PacketContext(ifindex: ProbeDatapath.interface)
        if isForwarded, direction == .egress { context.ingressIfindex = ProbeDatapath.interface }
        let action: UInt32 =
            switch (direction, isHost) {
            case (.egress, false): try fromEndpoint.testRun(packet: frame, context: context).verdict
            case (.ingress, false): try toEndpoint.testRun(packet: frame, context: context).verdict
            case (.egress, true): try toNetwork.testRun(packet: frame, context: context).verdict
            case (.ingress, true): try fromNetwork.testRun(packet: frame, context: context).verdict
            }
        var reports: [FlowEvent] = []
        _ = events.drain(recordCountMax: .max) { bytes in
            if let event = FlowEvent(decoding: bytes) { reports.append(event) }
        }
        let isAskedAhead = config.untracked_subject != 0 && isHost
        let isAsked = !isForwarded || config.forward_subject != 0
        guard (isAsked ? 1 : 0)...(isAskedAhead ? 2 : 1) ~= reports.count else {
            throw KernelEngineError.noAnswer("\(reports.count) events for one packet")
        }
        // The words must go with the deed.
        let dropped: UInt32 = 2
        guard (action == dropped) == (reports.last?.verdict == .deny) else {
            let verdict = reports.last?.verdict.name ?? "none"
            throw KernelEngineError.noAnswer("action \(Int32(bitPattern: action)) and verdict \(verdict)")
        }
        return reports
    }
}
