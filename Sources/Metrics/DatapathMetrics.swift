// SPDX-License-Identifier: Apache-2.0

extension Metric {
    package static let droppedPackets = Metric(
        "bulkhead_dropped_packets_total", .counter,
        "Packets dropped, by reason and by direction as the endpoint sees it.", labels: ["reason", "direction"])
    package static let droppedBytes = Metric(
        "bulkhead_dropped_bytes_total", .counter,
        "Bytes (IP length) of dropped packets.", labels: ["reason", "direction"])
    package static let auditedPackets = Metric(
        "bulkhead_audited_packets_total", .counter,
        "Packets that audit mode let pass and policy would drop.")
    package static let auditedBytes = Metric(
        "bulkhead_audited_bytes_total", .counter,
        "Bytes of packets that audit mode let pass.")
    package static let linkLayerPackets = Metric(
        "bulkhead_link_layer_packets_total", .counter,
        "ARP and other link-layer packets that passed.")
    package static let rulePackets = Metric(
        "bulkhead_rule_packets_total", .counter,
        "Packets that a rule decided. "
            + "A number that a rule has after another one goes on from its count.", labels: ["policy", "rule"],
        samplesMax: 1000)
    package static let ruleBytes = Metric(
        "bulkhead_rule_bytes_total", .counter,
        "Bytes that a rule decided.", labels: ["policy", "rule"], samplesMax: 1000)
    package static let untoldRules = Metric(
        "bulkhead_rules_untold", .gauge, "Rules in use that have no sample here, for there are too many.")
    package static let mapEntries = Metric(
        "bulkhead_map_entries", .gauge,
        "Entries of a kernel table; of flows as they were when last counted.", labels: ["map"])
    package static let mapCapacity = Metric(
        "bulkhead_map_capacity", .gauge,
        "Entries that a kernel table has room for.", labels: ["map"])
    package static let programRuns = Metric(
        "bulkhead_program_runs_total", .counter,
        "Runs of a kernel program; only while kernel.bpf_stats_enabled is 1.", labels: ["program"])
    package static let programSeconds = Metric(
        "bulkhead_program_run_seconds_total", .counter,
        "Time in a kernel program; only while kernel.bpf_stats_enabled is 1.", labels: ["program"])
    package static let attachments = Metric(
        "bulkhead_attached_interfaces", .gauge,
        "Interfaces with programs, by how these are attached.", labels: ["hook"])

    static let datapathGroup = MetricGroup(
        title: "Data path",
        note: "Counters are the kernel's since its tables were made: they go on over restarts of the agent.",
        metrics: [
            droppedPackets, droppedBytes, auditedPackets, auditedBytes, linkLayerPackets, rulePackets, ruleBytes,
            untoldRules,
            mapEntries, mapCapacity, programRuns, programSeconds, attachments,
        ])
}
