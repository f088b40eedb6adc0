// SPDX-License-Identifier: Apache-2.0

extension Metric {
    package static let shieldPackets = Metric(
        "bulkhead_shield_packets_total", .counter,
        "Packets before the host, by outcome: passed, not_ip, allowed (by list), failsafe.", labels: ["outcome"])
    package static let shieldDropped = Metric(
        "bulkhead_shield_dropped_packets_total", .counter,
        "Packets that the shield dropped (mode enforce) or would have (mode monitor).", labels: ["reason", "mode"])
    package static let shieldEventsLost = Metric(
        "bulkhead_shield_events_lost_total", .counter,
        "Events of the shield that did not arrive.")
    package static let shieldBlocks = Metric("bulkhead_shield_blocks", .gauge, "Blocks in force.")
    package static let shieldBlockCapacity = Metric(
        "bulkhead_shield_block_capacity", .gauge,
        "Blocks that there is room for.")
    package static let shieldBlocksRefused = Metric(
        "bulkhead_shield_blocks_refused", .gauge,
        "Blocks that there was no room for.")
    package static let feedPrefixes = Metric(
        "bulkhead_feed_prefixes", .gauge,
        "Prefixes of a feed in force.", labels: ["feed"])
    package static let feedPackets = Metric(
        "bulkhead_feed_packets_total", .counter,
        "Packets that met a feed.", labels: ["feed"])
    package static let feedBroken = Metric(
        "bulkhead_feed_broken", .gauge,
        "1 while the newest text of a feed is not in force.", labels: ["feed"])
    package static let detectorReports = Metric(
        "bulkhead_detector_reports_total", .counter,
        "Reports of the sensors that detectors looked at.")
    package static let detectorMissed = Metric(
        "bulkhead_detector_reports_missed_total", .counter,
        "Reports that no detector was told of: they were behind.")
    package static let detectorForgotten = Metric(
        "bulkhead_detector_records_forgotten_total", .counter,
        "Records of detectors given up for want of room.")
    package static let findings = Metric(
        "bulkhead_detector_findings_total", .counter,
        "Findings by detector; an alert is made of many.", labels: ["detector"])
    package static let alerts = Metric(
        "bulkhead_alerts", .gauge,
        "Alerts that are not over, by state.", labels: ["state"])
    package static let alertsTotal = Metric("bulkhead_alerts_total", .counter, "Alerts since the agent's start.")
    package static let alertsForgotten = Metric(
        "bulkhead_alerts_forgotten_total", .counter,
        "Alerts that went for want of room.")
    package static let notices = Metric(
        "bulkhead_alert_notices_total", .counter,
        "Notices to a sink, by result: delivered, refused, lost.", labels: ["sink", "result"])
    package static let noticesPending = Metric(
        "bulkhead_alert_notices_pending", .gauge,
        "Notices that wait for a sink.", labels: ["sink"])
    package static let responsesInForce = Metric(
        "bulkhead_responses_in_force", .gauge,
        "Responses in force, or that would be.")
    package static let responses = Metric(
        "bulkhead_responses_total", .counter,
        "Responses since the agent's start, by result: acted, would_act, refused, failed.", labels: ["result"])

    static let threatsGroup = MetricGroup(
        title: "Shield, detectors, alerts, responses", note: "Only of what is switched on.",
        metrics: [
            shieldPackets, shieldDropped, shieldEventsLost, shieldBlocks, shieldBlockCapacity, shieldBlocksRefused,
            feedPrefixes, feedPackets, feedBroken, detectorReports, detectorMissed, detectorForgotten, findings,
            alerts, alertsTotal, alertsForgotten, notices, noticesPending, responsesInForce, responses,
        ])
}
