// SPDX-License-Identifier: Apache-2.0

package import DetectionModel

/// A scan so slow that no count of a short time shows it.
package struct SlowScan: ScanDetector {
    static let failed = Threshold(
        "failedProbes", 5, "net failures", in: 2...1e6,
        "different (host, port) pairs that failed, less those that answered")
    static let fastest = Threshold(
        "fastest", 1, "pairs/s", in: 0...1e6, "faster ones are left to `port-scan` and `network-scan`")
    static let steps = Threshold(
        "steps", 2, "steps", in: 1...1000, "times, at least a second apart, at which failures grew")

    package static let guide = DetectorGuide(
        name: "slow-scan", title: "Slow scan", technique: "T1046", techniqueName: "Network Service Discovery",
        severity: "low from outside; medium from a workload",
        about:
            "One source tries services one by one with pauses, to stay below limits of rates: nmap -T1, one probe in five seconds.",
        method: """
            \(ScanGuide.walk) With the paper's rates (a benign first contact succeeds in 80 of 100 cases, a scanner's in 20) and \
            `failedProbes` 5 the likelihood ratio is 1024: one false alarm in 1000 decisions. The evidence must have grown \
            in `steps` steps, so that a burst of failures at one moment (a service group that is down) is none.
            """,
        sources: ScanGuide.sources,
        thresholds: [failed, ScanGuide.failedInside, fastest, steps],
        evidence: ScanGuide.evidence,
        nearMisses: [
            "A dead service that is asked every few seconds: one pair, and each record of the sensor begins anew.",
            "A monitor with some dead targets: the living ones outweigh them.",
            "traceroute, late segments of closed connections, backscatter: as for `port-scan` and `stealth-scan`.",
        ],
        limits: ["Below one pair in five minutes the walk leaks as fast as it rises."],
        capacity: ScanWatch.capacity)

    package var record: ScanRecord

    package init(_ thresholds: Thresholds) { record = ScanRecord(thresholds) }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .source(let source) = activity else { return [] }
        let thresholds = record.thresholds
        let (walk, hasGrown) = record.watch.take(source)
        let needed = ScanWatch.needed(
            source, outside: thresholds[Self.failed], inside: thresholds[ScanGuide.failedInside])
        guard hasGrown, walk.reaches(needed), walk.rate <= thresholds[Self.fastest],
            Double(walk.steps) >= thresholds[Self.steps], !ScanAlibi.isTraceroute(source)
        else { return [] }
        let probes = walk.probes
        if probes.stealth > probes.services + probes.sweep, probes.impossible == 0, ScanAlibi.isLate(source) {
            return []
        }
        return tell(
            source, walk, source.scanSeverity, weight: Double(walk.failures),
            "\(ScanGuide.text(source)) tried \(walk.pairs) services one by one over \(walk.age.whole) seconds; "
                + "\(walk.failures) failed, \(walk.answered) were answered.")
    }
}
