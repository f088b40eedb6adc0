// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import NetworkModel

extension DatapathState {
    func metrics() throws(BPFError) -> DatapathMetrics {
        var metrics = DatapathMetrics()
        for direction in Direction.allCases {
            for reason in DropReason.allCases where reason != .none {
                let traffic = try counter(METRIC_DROP + Int(reason.rawValue) * 2 + Int(direction.rawValue))
                if traffic.packets > 0 { metrics.dropped[reason, default: [:]][direction] = traffic }
            }
        }
        metrics.audited = try counter(METRIC_AUDITED)
        metrics.linkLayer = try counter(METRIC_NOT_IP)
        metrics.eventsWritten = try counter(METRIC_EVENT_WRITTEN).packets
        metrics.eventsLost = try counter(METRIC_EVENT_LOST).packets
        metrics.flowsCreated = try counter(METRIC_CONNTRACK_CREATED).packets
        metrics.flowsExpired = try counter(METRIC_CONNTRACK_EXPIRED).packets
        metrics.flowsRefused = try counter(METRIC_CONNTRACK_FULL).packets
        metrics.fragmentsTracked = try counter(METRIC_FRAGMENT_TRACKED).packets
        metrics.flowsReevaluated = try counter(METRIC_REEVALUATED).packets
        metrics.flowsRevoked = try counter(METRIC_REVOKED).packets
        metrics.names = try nameMetrics()
        return metrics
    }

    private func nameMetrics() throws(BPFError) -> NameMetrics {
        var names = NameMetrics()
        names.questions = try counter(METRIC_DNS_QUERY).packets
        names.answers = try counter(METRIC_DNS_ANSWER).packets
        names.unasked = try counter(METRIC_DNS_UNASKED).packets
        names.forged = try counter(METRIC_DNS_FORGED).packets
        names.malformed = try counter(METRIC_DNS_MALFORMED).packets
        names.unread = try counter(METRIC_DNS_UNREAD).packets
        names.learnt = try counter(METRIC_DNS_LEARNED).packets
        names.forbidden = try counter(METRIC_DNS_FORBIDDEN).packets
        names.crowded = try counter(METRIC_DNS_CROWDED).packets
        names.withoutMemory = try counter(METRIC_DNS_NO_ROOM).packets
        return names
    }

    func ruleTraffic(_ slots: [UInt32]) throws(BPFError) -> [UInt32: RuleTraffic] {
        var traffic: [UInt32: RuleTraffic] = [:]
        for slot in slots {
            var sum = RuleTraffic()
            for value in try objects.ruleStats.valuesPerCPU(for: slot) ?? [] {
                sum.egress += Traffic(packets: value.packets.0, bytes: value.bytes.0)
                sum.ingress += Traffic(packets: value.packets.1, bytes: value.bytes.1)
            }
            traffic[slot] = sum
        }
        return traffic
    }

    private func counter(_ index: Int) throws(BPFError) -> Traffic {
        try (objects.metrics.valuesPerCPU(for: UInt32(index)) ?? []).reduce(into: Traffic()) {
            $0 += Traffic(packets: $1.packets, bytes: $1.bytes)
        }
    }
}
