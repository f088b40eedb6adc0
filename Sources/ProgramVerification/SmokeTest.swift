// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import IdentityModel
import KernelPrograms
import NetworkModel
import PolicyCompiler
import TableEncoding

/// The least that must work on every supported kernel: one workload behind clsact, one rule, packets that it lets pass
/// and packets that it stops, each with its counter.
///
/// Needs root, `ip` and busybox, and makes the namespace and the link `bhsmoke` for itself. Returns
/// a line for each thing that was seen to hold; throws the first that did not.
package func runSmokeTest() throws -> [String] {
    let bed = SmokeBed()
    try bed.build()
    defer { bed.remove() }
    let object = try BPFObject(.endpoint)
    try object.load()
    try configure(object, ifindex: bed.ifindex)
    try ClsactFilter.attach(object.program("tc_from_endpoint"), to: bed.ifindex, at: .ingress)
    try ClsactFilter.attach(object.program("tc_to_endpoint"), to: bed.ifindex, at: .egress)

    var held: [String] = []
    func expect(_ condition: Bool, _ text: String) throws {
        guard condition else { throw SmokeFailure(reason: "does not hold: \(text)") }
        held.append(text)
    }
    for address in [SmokeBed.workload4, SmokeBed.workload6] {
        try expect(bed.connects(to: address, port: SmokeBed.openPort), "\(address) answers on the allowed port")
        try expect(!bed.connects(to: address, port: SmokeBed.closedPort), "\(address) does not on another")
        try expect(!bed.pings(address), "\(address) does not answer a ping")
    }
    let drops: BPFMap<UInt32, metric> = try object.map("metrics_map")
    let index = UInt32(METRIC_DROP + DROP_POLICY_DEFAULT_DENY * 2 + DIRECTION_INGRESS)
    let dropped = try drops.valuesPerCPU(for: index)?.reduce(0) { $0 + $1.packets } ?? 0
    try expect(dropped >= 4, "the drops were counted as default deny")
    let rules: BPFMap<UInt32, rule_stats> = try object.map("rule_stats_map")
    let passed = try rules.valuesPerCPU(for: smokeRule)?.reduce(0) { $0 + $1.packets.1 } ?? 0
    try expect(passed >= 2, "the rule counted what it let pass")
    for hook in TrafficHook.allCases { try ClsactFilter.detach(from: bed.ifindex, at: hook) }
    return try held + SynSmoke(bed).run()
}

private let smokeRule: UInt32 = 100

/// Endpoint 1, subject 1, closed on ingress but for one TCP port.
private func configure(_ object: borrowing BPFObject, ifindex: UInt32) throws {
    let endpoints: BPFMap<UInt32, endpoint_entry> = try object.map("endpoint_map")
    var endpoint = endpoint_entry()
    endpoint.ifindex = ifindex
    endpoint.subject = 1
    endpoint.identity = 300
    endpoint.endpoint = 1
    try endpoints.update(ifindex & UInt32(ENDPOINT_TABLE_SIZE - 1), to: endpoint)
    let addresses: BPFMap<endpoint_address_key, UInt32> = try object.map("endpoint_address_map")
    for text in [SmokeBed.workload4, SmokeBed.workload6] {
        guard let address = IPAddress(text) else { throw SmokeFailure(reason: "\(text) is no address") }
        var key = endpoint_address_key()
        key.address.bytes = address.networkBytes
        key.endpoint = 1
        try addresses.update(key, to: 1)
    }
    try writeTables(object)
    let configs: BPFMap<UInt32, datapath_config> = try object.map("config_map")
    var config = datapath_config()
    config.flags = UInt32(CONFIG_READY)
    config.ticks_per_second = 250
    config.report_interval_ticks = 2500
    config.policy_bucket_mask = (UInt32(smokeCapacity.policyBuckets - 1), UInt32(smokeCapacity.policyBuckets - 1))
    unsafe withUnsafeMutableBytes(of: &config.timeout_ticks) { bytes in
        for timeout in unsafe bytes.bindMemory(to: UInt32.self).indices {
            unsafe bytes.storeBytes(of: 60 * 250, toByteOffset: timeout * 4, as: UInt32.self)
        }
    }
    try configs.update(0, to: config)
}

private let smokeCapacity = ShadowTables.Capacity(policyBuckets: 1024, policyEntries: 1024, ipcacheChunks: 4)

/// Writes bank 0 of every table.
private func writeTables(_ object: borrowing BPFObject) throws {
    let key = PolicyKey(
        peer: .any, subject: 1, port: SmokeBed.openPort, proto: IPProtocol.tcp.rawValue, direction: .ingress,
        prefixLength: 16)
    let verdict = PolicyVerdict(precedence: 0x7fff_ff00 | 128, rule: smokeRule)
    let subject = SubjectState(
        defaultDeny: [false, true], defaultDenyAll: [false, true], probeMask: [[0, 0], [0, 1 << 16]],
        defaultDenyRule: [0, 101])
    let shadow = ShadowTables(capacity: smokeCapacity)
    try shadow.rebuild(
        MapState(policy: [key: PolicyValue(enforced: verdict, all: verdict)], subjects: [1: subject], ipcache: [:]))
    let names: [KernelTable: String] = [
        .policyHeads: "policy_heads_map", .policyEntries: "policy_entries_map", .ipcache: "ipcache_map",
        .subjects: "subject_map",
    ]
    let writes = shadow.takeWrites()
    for (table, name) in names {
        let memory = try MappedArray(object.mapDescriptor(name), name: name)
        let chunk = ShadowTables.chunkBytes(of: table)
        for write in writes where write.table == table {
            // Chunk c of bank 0 is element 2 c; the subject table's banks follow each other.
            let start = write.range.chunk * (table == .subjects ? 1 : 2) * chunk + write.range.bytes.lowerBound
            unsafe shadow.withBytes(of: write) { unsafe memory.write($0.bytes, at: start) }
        }
    }
}

/// Something that the smoke test saw not to hold.
package struct SmokeFailure: Error, CustomStringConvertible, Sendable {
    package let reason: String
    package var description: String { "smoke test: \(reason)" }
}
