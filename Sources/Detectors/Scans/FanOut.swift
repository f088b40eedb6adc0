// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// A workload tries host after host, and most fail: it looks for the next victim.
package struct FanOut: ScanDetector {
    static let hosts = Threshold(
        "hosts", 16, "hosts", in: 4...1e6, "different hosts that failed, less those that answered")
    static let perSecond = Threshold(
        "perSecond", 2, "hosts/s", in: 0...1e6, "new hosts a second since the evidence began, at least")

    package static let guide = DetectorGuide(
        name: "fan-out", title: "Fan-out from a workload", technique: "T1210",
        techniqueName: "Exploitation of Remote Services", severity: "critical",
        about:
            "A workload opens connections to one new host after the other and few answer: a worm, or somebody who looks for the next victim.",
        method: """
            \(ScanGuide.walk) Only sources inside count, with a credit of three answered contacts. It is found at `hosts` net \
            failures on as many different hosts, `perSecond` new hosts a second or faster. The share of successes decides: who knows \
            where to go is answered.
            """,
        sources: ScanGuide.sources + [
            "S. E. Schechter, J. Jung, A. W. Berger, Fast Detection of Scanning Worm Infections, RAID 2004: reverse sequential test on first contacts",
            "M. M. Williamson, Throttling Viruses, ACSAC 2002: the rate of new hosts",
        ],
        thresholds: [hosts, perSecond],
        evidence: ScanGuide.evidence,
        nearMisses: [
            "Crawlers, resolvers, package downloads, mail servers: most first contacts are answered.",
            "200 users behind one address, health checks, monitoring: the same hosts again and again, answered.",
            "A network that fails: hosts that were contacted before are no first contacts.",
        ],
        limits: [
            "Peer-to-peer programs and crawlers of dead lists fail as worms do: raise `hosts` or switch it off for this host.",
            "A worm with a list of targets that answer is not found by this; `first-contact` may.",
        ],
        capacity: ScanWatch.capacity)

    package var record: ScanRecord

    package init(_ thresholds: Thresholds) { record = ScanRecord(thresholds) }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .source(let source) = activity, source.isInside else { return [] }
        let walk = record.watch.take(source).walk
        guard case .horizontal = ScanShape(walk) else { return [] }
        let needed = record.thresholds[Self.hosts]
        let pace = Double(walk.hosts) / max(1, walk.age)
        guard walk.reaches(needed), Double(walk.hosts) >= needed, pace >= record.thresholds[Self.perSecond] else {
            return []
        }
        return tell(
            source, walk, .critical, weight: Double(walk.failures),
            "\(source.source) tried \(walk.hosts) different hosts in \(max(1, walk.age).whole) seconds; "
                + "\(walk.failures) probes failed, \(walk.answered) were answered."
        ) { $0.target = nil }
    }
}
