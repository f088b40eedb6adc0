// SPDX-License-Identifier: Apache-2.0

package import DetectionModel

/// One source asks many addresses whether anybody is there: ICMP, ARP, neighbour solicitations.
package struct HostSweep: ScanDetector {
    static let hosts = Threshold(
        "hosts", 16, "hosts", in: 3...65_535, "different hosts that did not answer, or whose answer is overdue")
    static let failedShare = Threshold(
        "failedShare", 0.5, "share", in: 0...1,
        "share of the hosts tried since the evidence began that must have failed")

    package static let guide = DetectorGuide(
        name: "host-sweep", title: "Host sweep", technique: "T1018", techniqueName: "Remote System Discovery",
        severity: "low from outside; medium from a workload",
        about: "One source asks address after address whether somebody is there: nmap -sn, fping, arp-scan.",
        method: """
            \(ScanGuide.walk) The pair of a request without ports is the host. A sweep is found where most probes are ICMP or ARP, \
            at `hosts` failed or overdue hosts that are `failedShare` of those tried. A sweep by TCP is a `network-scan`.
            """,
        sources: ScanGuide.sources + ["G. F. Lyon, Nmap Network Scanning, chapter 3: host discovery"],
        thresholds: [hosts, failedShare],
        evidence: ScanGuide.evidence,
        nearMisses: [
            "Monitoring that pings many hosts: they answer.",
            "A host that talks to many neighbours: its ARP requests are answered.",
        ],
        limits: [
            "A sweep of addresses that all answer looks like monitoring.",
            "A router asks by ARP for whatever somebody behind it scans: its address is named then.",
        ],
        capacity: ScanWatch.capacity)

    package var record: ScanRecord

    package init(_ thresholds: Thresholds) { record = ScanRecord(thresholds) }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .source(let source) = activity else { return [] }
        let walk = record.watch.take(source).walk
        guard case .sweep = ScanShape(walk) else { return [] }
        let silent = max(walk.failures, min(walk.overdue, walk.hosts))
        guard Double(silent) >= record.thresholds[Self.hosts],
            Double(silent) >= record.thresholds[Self.failedShare] * Double(max(walk.hosts, walk.pairs))
        else { return [] }
        return tell(
            source, walk, source.scanSeverity, weight: Double(silent),
            "\(ScanGuide.text(source)) asked \(walk.hosts) addresses whether somebody is there "
                + "(\(walk.probes.text)); \(silent) did not answer."
        ) { ($0.target, $0.port) = (nil, 0) }
    }
}
