// SPDX-License-Identifier: Apache-2.0

package import DetectionModel

/// One source tries many ports of few hosts: a vertical scan with SYN, connect or UDP.
package struct PortScan: ScanDetector {
    static let ports = Threshold(
        "ports", 15, "ports", in: 3...65_535, "different ports tried without an answer within ten seconds, from outside"
    )
    static let slowest = Threshold(
        "slowest", 1, "pairs/s", in: 0...1e6, "slower ones are left to `slow-scan`")

    package static let guide = DetectorGuide(
        name: "port-scan", title: "Port scan (vertical)", technique: "T1046",
        techniqueName: "Network Service Discovery",
        severity: "low from outside; medium from a workload, which has no reason to look around",
        about:
            "One source tries many ports of a host to see which services there are: nmap -sS, -sT, -sU and the like.",
        method: """
            \(ScanGuide.walk) A scan is found at `failedProbes`. Also at `ports` different ports within ten seconds of \
            which less than a quarter answered, before their failure is certain; of a workload's only those count that were tried \
            a quarter of a second ago or earlier.
            """,
        sources: ScanGuide.sources + [
            "S. Staniford, J. A. Hoagland, J. M. McAlerney, Practical Automated Detection of Stealthy Portscans, JCS 2002"
        ],
        thresholds: [ScanGuide.failed, ScanGuide.failedInside, ports, slowest],
        evidence: ScanGuide.evidence,
        nearMisses: [
            "Clients of many services, FTP with passive connections: they are answered.",
            "A dead service that is asked again and again, 200 users behind one address who ask for it: it is one pair.",
            "traceroute: its datagrams to ports 33434 to 33689 are refused one by one by their target.",
            "Late segments of closed connections: they are no SYN, and go to ports that clients choose.",
        ],
        limits: [
            "A workload that starts before several services it needs (8 failures, none answered) is found once.",
            "Below one pair in five minutes the walk leaks as fast as it rises.",
        ],
        capacity: ScanWatch.capacity)

    package var record: ScanRecord

    package init(_ thresholds: Thresholds) { record = ScanRecord(thresholds) }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .source(let source) = activity else { return [] }
        let thresholds = record.thresholds
        let walk = record.watch.take(source).walk
        guard case .vertical = ScanShape(walk), !ScanAlibi.isTraceroute(source) else { return [] }
        let needed = ScanWatch.needed(
            source, outside: thresholds[ScanGuide.failed], inside: thresholds[ScanGuide.failedInside])
        let isFailing = walk.reaches(needed) && walk.rate > thresholds[Self.slowest]
        // Workloads may open many things at once: only what is overdue counts.
        let silent = source.isInside ? min(walk.overdue, walk.ports) : walk.ports
        let isHasty =
            walk.age <= 10 && Double(silent) >= thresholds[Self.ports]
            && UInt64(walk.answered) * 4 < UInt64(walk.ports)
        guard isFailing || isHasty else { return [] }
        return tell(
            source, walk, source.scanSeverity, weight: Double(max(walk.ports, walk.failures)),
            "\(ScanGuide.text(source)) tried \(walk.ports) ports of \(walk.hosts == 1 ? "one host" : "\(walk.hosts) hosts"); "
                + "\(walk.answered) probes were answered."
        ) { $0.port = 0 }
    }
}
