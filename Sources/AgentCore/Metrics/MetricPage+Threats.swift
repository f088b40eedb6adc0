// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import Metrics
import ResponseActions

extension MetricPage {
    mutating func addCluster(_ facts: MetricFacts) {
        if let count = facts.cniAttachments { add(.cniAttachments, count) }
        guard let cluster = facts.cluster else { return }
        let feed = cluster.feed
        add(.clusterConnected, cluster.connected ? 1 : 0, feed)
        // Nothing was ever known: there is no age, and 0 would say that it is current.
        if cluster.connected || cluster.currentAt != nil { add(.clusterAge, Double(cluster.ageSeconds ?? 0), feed) }
        add(.clusterRemembered, cluster.remembered ? 1 : 0, feed)
        add(.clusterPolicies, cluster.policies, feed)
        add(.clusterWorkloads, cluster.workloads, feed)
        if let nodes = cluster.nodes { add(.clusterNodes, nodes, feed) }
        add(.clusterProblems, facts.clusterProblems, feed)
    }

    mutating func addThreats(_ facts: MetricFacts) {
        if let shield = facts.shield { addShield(shield) }
        if let detection = facts.detection {
            add(.detectorReports, detection.reports)
            add(.detectorMissed, detection.missed)
            add(.detectorForgotten, detection.forgotten)
            for detector in detection.detectors.sorted() {
                add(.findings, detection.findings[detector] ?? 0, detector)
            }
        }
        if let alerts = facts.alerts {
            add(.alerts, alerts.open, "open")
            add(.alerts, alerts.acknowledged, "acknowledged")
            add(.alertsTotal, alerts.counters.alerts)
            add(.alertsForgotten, alerts.counters.forgotten)
            for sink in alerts.sinks {
                add(.notices, sink.delivered, sink.name, "delivered")
                add(.notices, sink.refused, sink.name, "refused")
                add(.notices, sink.lost, sink.name, "lost")
                add(.noticesPending, sink.pending, sink.name)
            }
            add(.responsesInForce, alerts.responses)
        }
        if let responses = facts.responses {
            add(.responses, responses.actions, "acted")
            add(.responses, responses.wouldAct, "would_act")
            add(.responses, responses.refused, "refused")
            add(.responses, responses.failed, "failed")
        }
    }

    private mutating func addShield(_ shield: ShieldFacts) {
        for (outcome, count) in shield.packets { add(.shieldPackets, count, outcome) }
        for drop in shield.drops {
            add(.shieldDropped, drop.packets, drop.reason, drop.wouldDrop ? "monitor" : "enforce")
        }
        add(.shieldEventsLost, shield.lostEvents)
        add(.shieldBlocks, shield.blocks)
        add(.shieldBlockCapacity, shield.blockCapacity)
        add(.shieldBlocksRefused, shield.refusedBlocks)
        for feed in shield.feeds {
            add(.feedPrefixes, feed.prefixes, feed.name)
            add(.feedPackets, feed.packets, feed.name)
            add(.feedBroken, feed.isBroken ? 1 : 0, feed.name)
        }
    }
}
