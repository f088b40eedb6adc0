// SPDX-License-Identifier: Apache-2.0

package import DetectionModel

/// One source tries few ports of many hosts: a horizontal scan.
package struct NetworkScan: ScanDetector {
    static let hosts = Threshold(
        "hosts", 16, "hosts", in: 3...65_535,
        "different hosts whose answer is overdue by a quarter of a second, for a workload")
    static let slowest = Threshold(
        "slowest", 1, "pairs/s", in: 0...1e6, "slower ones are left to `slow-scan`")

    package static let guide = DetectorGuide(
        name: "network-scan", title: "Network scan (horizontal)", technique: "T1046",
        techniqueName: "Network Service Discovery",
        severity: "low from outside; medium from a workload",
        about:
            "One source tries the same port on many hosts to see who offers it: masscan, zmap, nmap -p 22 on a network.",
        method: """
            \(ScanGuide.walk) A scan is found at `failedProbes`; also at `hosts` different hosts (from outside: at \
            `failedProbes`, for our own hosts answer at once) that were tried a quarter of a second ago or earlier while less \
            than a quarter of them answered.
            """,
        sources: ScanGuide.sources + [
            "Z. Durumeric, M. Bailey, J. A. Halderman, An Internet-Wide View of Internet-Wide Scanning, USENIX Security 2014"
        ],
        thresholds: [ScanGuide.failed, ScanGuide.failedInside, hosts, slowest],
        evidence: ScanGuide.evidence,
        nearMisses: [
            "A crawler, a resolver, package downloads: most of what they try for the first time answers, and what is under way "
                + "is not counted before it is overdue.",
            "A monitor with some dead targets: the living ones outweigh them.",
            "Health checks of the same hosts: only first contacts count.",
        ],
        limits: [
            "A workload whose IPv6 is broken fails everywhere it tries; with more than `failedProbesInside` public hosts it is "
                + "found. It is worth mending.",
            "Peer-to-peer programs try many peers that are gone: raise `failedProbesInside`.",
        ],
        capacity: ScanWatch.capacity)

    package var record: ScanRecord

    package init(_ thresholds: Thresholds) { record = ScanRecord(thresholds) }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .source(let source) = activity else { return [] }
        let thresholds = record.thresholds
        let walk = record.watch.take(source).walk
        guard case .horizontal = ScanShape(walk), !ScanAlibi.isTraceroute(source) else { return [] }
        let needed = ScanWatch.needed(
            source, outside: thresholds[ScanGuide.failed], inside: thresholds[ScanGuide.failedInside])
        let isFailing = walk.reaches(needed) && walk.rate > thresholds[Self.slowest]
        let enough = source.isInside ? max(needed, thresholds[Self.hosts]) : needed
        let isHasty =
            walk.age <= 10 && Double(min(walk.overdue, walk.hosts)) >= enough
            && UInt64(walk.answered) * 4 < UInt64(walk.hosts)
        guard isFailing || isHasty else { return [] }
        let port = walk.ports == 1 ? source.samples.last.map { "port \($0.port)" } ?? "one port" : "\(walk.ports) ports"
        return tell(
            source, walk, source.scanSeverity, weight: Double(max(walk.hosts, walk.failures)),
            "\(ScanGuide.text(source)) tried \(port) of \(walk.hosts) hosts; \(walk.answered) probes were answered."
        ) { $0.target = nil }
    }
}
