// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Probes with flags that fit no connection: FIN, NULL, XMAS, ACK, Maimon and other scans.
package struct StealthScan: Detector {
    static let impossible = Threshold(
        "impossibleFlags", 5, "segments", in: 1...1e6, "segments with FIN alone, no flag, or FIN, PSH and URG")
    static let pairs = Threshold(
        "pairs", 3, "pairs", in: 1...1e6, "different (host, port) pairs that got such segments, at least")
    static let ackPairs = Threshold(
        "ackPairs", 10, "pairs", in: 2...1e6, "different pairs that got an ACK of no connection")
    static let oddPairs = Threshold(
        "oddPairs", 30, "pairs", in: 2...1e6, "different pairs that got other flags of no connection")

    package static let guide = DetectorGuide(
        name: "stealth-scan", title: "Stealth scan", technique: "T1046", techniqueName: "Network Service Discovery",
        severity: "low from outside; medium from a workload",
        about: """
            One source sends segments that belong to no connection to see how the stack or a firewall answers: nmap -sF, -sN, -sX, \
            -sA, -sM. No ordinary program can send them.
            """,
        method: """
            Counts since the source's record began. FIN alone, no flag at all, and FIN with PSH and URG are sent by no stack: \
            `impossibleFlags` of them on `pairs` different pairs are a scan, whatever came back. An ACK, or other flags such as \
            FIN with ACK, may be left over from a connection: `ackPairs` or `oddPairs` different pairs are needed, and not \
            all of the last probes may go to ports that clients choose.
            """,
        sources: [
            "G. F. Lyon, Nmap Network Scanning, chapter 5: FIN, NULL, Xmas, ACK and Maimon scans",
            "RFC 9293, section 3.10.7",
        ],
        thresholds: [impossible, pairs, ackPairs, oddPairs],
        evidence: ScanGuide.evidence,
        nearMisses: [
            "Late segments of closed connections and of those from before the sensors started: to one service, or to ports "
                + "from 32768 on.",
            "Answers to a flood that bore this host's address (backscatter): odd flags to few pairs, or to clients' ports.",
        ],
        limits: ["A scan of clients' ports alone with ACK is taken for late segments."],
        capacity: ScanWatch.capacity)

    private let thresholds: Thresholds
    private var announcer = Announcer(capacity: ScanWatch.capacity)

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .source(let source) = activity else { return [] }
        let probes = source.probes
        let pairs = Double(min(UInt64(source.distinctPairs), probes.stealth))
        let isImpossible =
            Double(probes.impossible) >= thresholds[Self.impossible] && pairs >= thresholds[Self.pairs]
        // Pairs are not counted for each kind: those of other probes are taken off as if each had its own.
        let others = Double(probes.services + probes.sweep)
        let strays = min(Double(source.distinctPairs) - others, Double(UInt64(probes.ack) + UInt64(probes.oddFlags)))
        let needed = probes.ack >= probes.oddFlags ? thresholds[Self.ackPairs] : thresholds[Self.oddPairs]
        let isStray = strays >= needed && !ScanAlibi.isLate(source)
        guard isImpossible || isStray else { return [] }
        var walk = ScanWalk(source)
        _ = walk.take(source, floor: 0)
        var finding = Self.finding(
            source.time, since: source.since, source.scanSeverity,
            "\(ScanGuide.text(source)) sent \(probes.stealth) segments that belong to no connection (\(probes.text)).",
            ScanGuide.evidence(walk, source))
        ScanGuide.name(&finding, source, walk)
        finding.port = 0
        finding.ipProtocol = .tcp
        return announcer.announce(finding, weight: Double(probes.stealth))
    }
}
