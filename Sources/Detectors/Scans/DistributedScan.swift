// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Many sources share the ports of one host among them, each below every limit of its own.
package struct DistributedScan: Detector {
    static let probers = Threshold("probers", 16, "sources", in: 2...1e6, "different sources that probed")
    static let ports = Threshold("ports", 32, "ports", in: 2...65_535, "different ports they probed")
    static let failed = Threshold("failedProbes", 64, "probes", in: 2...1e9, "probes that failed")
    static let each = Threshold(
        "failedEach", 32, "probes", in: 1...1e6,
        "failed probes of a source on average, at most: more is a scan of its own")
    static let factor = Threshold(
        "factor", 4, "times", in: 1...1000, "how many times the usual number of failed probes of this host it must be")
    static let capacity = 1024

    package static let guide = DetectorGuide(
        name: "distributed-scan", title: "Distributed scan", technique: "T1046",
        techniqueName: "Network Service Discovery", severity: "medium",
        about: "Many sources probe one host, each a few ports, so that none of them stands out.",
        method: """
            The sensor keeps sketches of ports, of sources that probe, and of failed probes for each target over the last \
            minutes. A scan is found where all of `probers`, `ports` and `failedProbes` are reached, sources fail no more than \
            `failedEach` times on average, and the failures are `factor` times what is usual for this host (exponential mean over \
            about an hour): a host on the internet is probed at any time. Before that, what sources known by their own records have \
            tried is taken off, with a third more for what is not reported yet: of sources with more than `failedEach` ports, \
            and of all that tried four or more while fewer than `probers` of these failed; 64 sources of a target at most are known. \
            There are no more sources than the failures that are left.
            """,
        sources: [
            "C. Gates, Coordinated Scan Detection, NDSS 2009",
            "S. Staniford, J. A. Hoagland, J. M. McAlerney, Practical Automated Detection of Stealthy Portscans, JCS 2002",
        ],
        thresholds: [probers, ports, failed, each, factor],
        evidence: [
            ("distinct_probers", "estimate of sources that probed and failed, at most"),
            ("distinct_ports", "estimate of ports probed, without those that known sources explain"),
            ("failed_probes", "probes that failed, without theirs"), ("usual_failed_probes", "what is usual"),
            ("known_alone", "sources that are known by themselves, and do not count"),
        ],
        nearMisses: [
            "The noise of the internet: usual for this host, and few ports.", "Many users of one service: few ports.",
            "Connections of many clients to a service that is down: one port.",
            "One scanner, or a few, among clients that are answered, or during a flood on one port: what they tried is taken off.",
        ],
        limits: [
            "Sources cannot be named: they may be forged, and each did little.",
            "Beside a scanner of many ports, or one who began again, a distributed scan is found when it has tried a third as "
                + "many others; beside one of all ports it is not.",
            "Failures are refusals and denials: a host that keeps silent shows no distributed scan.",
            "A flood with forged sources over all ports of a host that refuses looks the same.",
        ],
        capacity: capacity)

    private struct Usual: Remembered {
        var touched: UInt64
        var weight = 0.0
        var begin: UInt64
        var mean = 0.0
    }

    private let thresholds: Thresholds
    private var usual = BoundedTable<IPAddress, Usual>(capacity: capacity, lifetime: 86_400_000_000_000)
    private var known = KnownProbers()
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { usual.forgotten &+ known.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        switch activity {
        case .source(let source): known.note(source)
        case .target(let target): return judge(target)
        default: break
        }
        return []
    }

    private mutating func judge(_ target: TargetActivity) -> [Finding] {
        let account = known.account(
            of: target.target, at: target.time, each: thresholds[Self.each], crowd: thresholds[Self.probers])
        let failed = max(0, Double(target.failedProbes) - account.failures)
        let ports = max(0, Double(target.distinctPorts) - account.ports)
        // Sources whose probes succeed are in the sensor's sketch too: no more count than there are failures for.
        let probers = min(
            Double(target.distinctProbers) - Double(account.alone),
            Double(account.few) + max(0, failed - account.fewFailures))
        let isOver =
            probers >= thresholds[Self.probers] && ports >= thresholds[Self.ports]
            && failed >= thresholds[Self.failed] && failed <= thresholds[Self.each] * probers
        let factor = thresholds[Self.factor]
        let mean = usual.update(
            target.target, at: target.time, initial: { Usual(touched: target.time, begin: target.time) },
            { usual -> Double in
                let pause = usual.touched.distance(before: target.time).seconds
                let mean = usual.mean
                usual.touched = max(usual.touched, target.time)
                // Five minutes of probes are known at a time; what is over is not learnt as usual at once.
                if !(isOver && failed >= factor * mean) { usual.mean += min(1, pause / 3600) * (failed - mean) }
                return mean
            })
        guard isOver, failed >= factor * mean else { return [] }
        let beside = account.alone == 0 ? "" : ", beside \(account.alone) known by themselves"
        var finding = Self.finding(
            target.time, since: target.since, .medium,
            "About \(probers.whole) sources together probed \(ports.whole) ports of \(target.target)\(beside).",
            [
                .number("distinct_probers", probers), .number("distinct_ports", ports),
                .number("failed_probes", failed), .number("usual_failed_probes", mean),
                .number("known_alone", account.alone),
            ])
        finding.target = target.target
        finding.isSourceForgeable = true
        return announcer.announce(finding, weight: failed)
    }
}
