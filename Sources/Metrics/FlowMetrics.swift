// SPDX-License-Identifier: Apache-2.0

extension Metric {
    package static let flowsCreated = Metric(
        "bulkhead_flows_created_total", .counter,
        "Flows that the kernel's table took up.")
    package static let flowsReplaced = Metric(
        "bulkhead_flows_replaced_total", .counter,
        "Expired flows that met a packet and were replaced.")
    package static let flowsRefused = Metric(
        "bulkhead_flows_refused_total", .counter,
        "New flows refused because the table was full.")
    package static let flowsReevaluated = Metric(
        "bulkhead_flows_reevaluated_total", .counter,
        "Established flows judged again after a policy change.")
    package static let flowsRevoked = Metric(
        "bulkhead_flows_revoked_total", .counter,
        "Established flows that a policy change cut.")
    package static let fragmentsTracked = Metric(
        "bulkhead_fragments_tracked_total", .counter,
        "First fragments that were noted for those that follow.")
    package static let eventsWritten = Metric(
        "bulkhead_events_written_total", .counter,
        "Events that the kernel wrote for the agent.")
    package static let eventsLost = Metric(
        "bulkhead_events_lost_total", .counter,
        "Events that did not arrive, by where they were lost: kernel (ring buffer full), follower (a "
            + "reader of flows too slow), undecodable.", labels: ["where"])
    package static let events = Metric(
        "bulkhead_events_total", .counter,
        "Events that the agent read, by verdict.", labels: ["verdict"])
    package static let flowsHeld = Metric("bulkhead_flows_held", .gauge, "Flows in the agent's memory.")
    package static let flowFollowers = Metric("bulkhead_flow_followers", .gauge, "Readers that follow flows now.")
    package static let dnsMessages = Metric(
        "bulkhead_dns_messages_total", .counter,
        "DNS messages and what became of them; none where no answer is read.", labels: ["outcome"])
    package static let dnsAddresses = Metric(
        "bulkhead_dns_addresses_total", .counter,
        "Addresses out of DNS answers, by what became of them.", labels: ["outcome"])
    package static let logDecisions = Metric(
        "bulkhead_policy_log_decisions_total", .counter,
        "Decisions that somebody wants logged, by whether they are in a line.", labels: ["result"])

    static let flowsGroup = MetricGroup(
        title: "Flows and events", note: "",
        metrics: [
            flowsCreated, flowsReplaced, flowsRefused, flowsReevaluated, flowsRevoked, fragmentsTracked,
            eventsWritten, eventsLost, events, flowsHeld, flowFollowers, dnsMessages, dnsAddresses, logDecisions,
        ])
}
