// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// A flood in which nearly every packet has another source: the sources are forged.
package struct SpoofedFlood: Detector {
    static let sources = Threshold(
        "distinctSources", 512, "sources", in: 16...1e7, "different sources in a second, at least")
    static let packetsEach = Threshold(
        "packetsEach", 3, "packets", in: 1...1000, "packets of a source on average, at most")
    static let completedShare = Threshold(
        "completedShare", 0.2, "share", in: 0...1, "share of completed handshakes and answered datagrams, at most")
    static let capacity = 1024

    package static let guide = DetectorGuide(
        name: "spoofed-flood", title: "Flood with forged sources", technique: "T1498.001",
        techniqueName: "Direct Network Flood", severity: "high",
        about: """
            Packets of a flood bear sources drawn at random. Nobody is named, and while it goes on findings of scans from outside \
            are marked as forgeable, so that no answer hits those whose addresses were drawn.
            """,
        method: """
            In a window of a second there are `distinctSources` different sources of SYNs, datagrams, ICMP and stray segments or \
            more, each with `packetsEach` packets at most on average, and no more than `completedShare` of the SYNs became \
            connections or of the datagrams belong to answered flows.
            """,
        sources: [
            "L. Feinstein et al., Statistical Approaches to DDoS Attack Detection and Response, DISCEX 2003: entropy of sources",
            "T. Peng, C. Leckie, K. Ramamohanarao, Proactively Detecting Distributed Denial of Service Attacks Using Source IP "
                + "Address Monitoring, NETWORKING 2004: the share of new sources",
        ],
        thresholds: [sources, packetsEach, completedShare],
        evidence: [
            ("distinct_sources", "estimate of different sources in the window"),
            ("packets_each", "packets of the kinds that count, divided by sources"),
            ("completed_share", "share of handshakes completed and datagrams answered"),
            ("packets_per_second", "all packets to the target in the window"),
        ],
        nearMisses: [
            "A flash crowd, a resolver for many clients: handshakes are completed, datagrams answered.",
            "A botnet with real sources: each sends many packets.",
        ],
        limits: [
            "A flood with few forged sources is a flood, and not known to be forged. No finding of a flood names a source."
        ],
        capacity: capacity)

    private let thresholds: Thresholds
    private var announcer = Announcer(capacity: SpoofedFlood.capacity)

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .target(let target) = activity else { return [] }
        let sources = Double(target.distinctSources)
        // The first round trip of a flash crowd looks forged: a window that is not over must have four times as many.
        guard sources >= thresholds[Self.sources] * (target.isWhole ? 1 : 4) else { return [] }
        let packets = Double(target.syn + target.udp + target.icmp + target.strayTCP) - Double(target.reflected)
        let completed = Double(target.established + target.udpAnswered) / max(1, Double(target.syn + target.udp))
        let each = packets / sources
        // Sources of ordinary packets count in the estimate, but those packets are not among those that count here.
        guard each >= 0.5, each <= thresholds[Self.packetsEach], completed <= thresholds[Self.completedShare] else {
            return []
        }
        var finding = Self.finding(
            target.time, since: target.since, .high,
            "\(packets.whole) packets a second reach \(target.target) from about \(target.distinctSources) forged sources.",
            [
                .number("distinct_sources", target.distinctSources), .number("packets_each", each),
                .number("completed_share", completed), .number("packets_per_second", target.packets),
            ])
        finding.target = target.target
        finding.isSourceForgeable = true
        return announcer.announce(finding, weight: packets)
    }
}
