// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI

/// What may be switched while packets flow.
package struct DatapathSettings: Hashable, Sendable {
    /// Audit mode for every endpoint.
    package var isAudit: Bool
    /// An allowed flow is reported again after this long; zero reports every packet.
    package var reportInterval: Duration
    package var timeouts: ConntrackTimeouts

    package init(
        isAudit: Bool = false, reportInterval: Duration = .seconds(5),
        timeouts: ConntrackTimeouts = ConntrackTimeouts()
    ) {
        self.isAudit = isAudit
        self.reportInterval = reportInterval
        self.timeouts = timeouts
    }
}

/// How long a silent flow is remembered, by its state.
package struct ConntrackTimeouts: Hashable, Sendable {
    // What only one side says lives shortly: it costs that side nothing, and us an entry of the table.
    package var tcpSynSent: Duration = .seconds(30)
    package var tcpSynReceived: Duration = .seconds(30)
    /// Above the two hours and four minutes of RFC 5382.
    package var tcpEstablished: Duration = .seconds(8000)
    package var tcpClosing: Duration = .seconds(120)
    package var tcpClosed: Duration = .seconds(10)
    package var unreplied: Duration = .seconds(30)
    /// Above the two minutes of RFC 4787.
    package var replied: Duration = .seconds(180)
    package var icmp: Duration = .seconds(30)
    package var sctpEstablished: Duration = .seconds(8000)
    package var sctpClosed: Duration = .seconds(10)
    package var tcpPickedUp: Duration = .seconds(30)
    package var tcpReset: Duration = .seconds(10)

    package init() {}

    /// In the order of `CONNTRACK_*`.
    var byState: [Duration] {
        [
            tcpSynSent, tcpSynReceived, tcpEstablished, tcpClosing, tcpClosed, unreplied, replied, icmp,
            sctpEstablished, sctpClosed, tcpPickedUp, tcpReset,
        ]
    }
}

/// Sizes of the tables; fixed while the tables exist.
///
/// Memory is taken when they are made.
package struct DatapathSizes: Hashable, Sendable {
    /// A power of two.
    package var policyBuckets: Int
    package var policyEntries: Int
    /// Chunks of 1 MiB for each of the two banks, at least 2.
    package var ipcacheChunks: Int
    /// Flows tracked at most; one more is refused, and counted.
    package var conntrackEntries: Int
    /// Room for events that nobody has read yet, of all CPUs together; each has the same part, a power of two of events.
    package var eventBytes: Int

    /// An endpoint may hold this part of the conntrack table, so that no one of them can starve the others.
    package static let conntrackShareDivisor = 4

    package init(
        policyBuckets: Int = 131_072, policyEntries: Int = 131_072, ipcacheChunks: Int = 16,
        conntrackEntries: Int = 262_144, eventBytes: Int = 8 << 20
    ) {
        self.policyBuckets = policyBuckets
        self.policyEntries = policyEntries
        self.ipcacheChunks = ipcacheChunks
        self.conntrackEntries = conntrackEntries
        self.eventBytes = eventBytes
    }

    /// Number of entries by map, for the maps whose size the agent chooses.
    func entryCounts() throws(BPFError) -> [String: Int] {
        let chunkBytes = Int(POLICY_CHUNK_BYTES)
        let chunks = { (byteCount: Int) in (byteCount + chunkBytes - 1) / chunkBytes * Int(BANK_COUNT) }
        let events = try EventRings.elementCounts(forBytes: eventBytes)
        return [
            MapName.policyHeads: chunks(policyBuckets * MemoryLayout<UInt32>.stride),
            MapName.policyEntries: chunks(policyEntries * MemoryLayout<policy_entry>.stride),
            MapName.ipcache: ipcacheChunks * Int(BANK_COUNT),
            MapName.conntrack: conntrackEntries,
            MapName.conntrackHeads: ConntrackTable.headElements(forFlows: conntrackEntries),
            EventRings.ringsName: events.rings,
            EventRings.eventsName: events.chunks,
        ]
    }
}

/// Names of the maps, as in `bpf/lib/maps.h`.
enum MapName {
    static let config = "config_map"
    static let endpoints = "endpoint_map"
    static let endpointOverflow = "endpoint_overflow_map"
    static let endpointAddresses = "endpoint_address_map"
    static let failsafes = "failsafe_map"
    static let subjects = "subject_map"
    static let policyHeads = "policy_heads_map"
    static let policyEntries = "policy_entries_map"
    static let ipcache = "ipcache_map"
    static let conntrack = "conntrack_map"
    static let conntrackHeads = "conntrack_heads_map"
    static let conntrackTable = "conntrack_table_map"
    static let endpointFlows = "endpoint_flows_map"
    static let ruleStats = "rule_stats_map"
    static let metrics = "metrics_map"
    static let nameConfig = "fqdn_config_map"
    static let nameResolvers = "fqdn_resolver_map"
    static let nameSelectors = "fqdn_selector_map"
    static let nameGlobs = "fqdn_glob_map"
    static let nameQueries = "fqdn_query_map"
    static let nameNumbers = "fqdn_number_map"
    static let nameHistory = "fqdn_history_map"
    static let names = "fqdn_name_map"
    static let serviceConfig = "service_config_map"
    static let serviceCgroups = "service_cgroup_map"
    static let serviceUsers = "service_user_map"
    static let keptFlows = "kept_flow_map"
}
