// SPDX-License-Identifier: Apache-2.0

package import DetectionModel

/// One source asks many addresses whether anybody is there: ICMP, ARP, neighbour solicitations.
package struct HostSweep: Detector {
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

    private let thresholds: Thresholds
    private var watch = ScanWatch()
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { watch.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .source(let source) = activity else { return [] }
        let walk = watch.take(source).walk
        guard case .sweep = ScanShape(walk) else { return [] }
        let silent = max(walk.failures, min(walk.overdue, walk.hosts))
        guard Double(silent) >= thresholds[Self.hosts],
            Double(silent) >= thresholds[Self.failedShare] * Double(max(walk.hosts, walk.pairs))
        else { return [] }
        var finding = Self.finding(
            source.time, since: walk.begin, source.isInside ? .medium : .low,
            "\(ScanGuide.text(source)) asked \(walk.hosts) addresses whether somebody is there "
                + "(\(walk.probes.text)); \(silent) did not answer.",
            ScanGuide.evidence(walk, source))
        ScanGuide.name(&finding, source, walk)
        (finding.target, finding.port) = (nil, 0)
        return announcer.announce(finding, weight: Double(silent))
    }
}
