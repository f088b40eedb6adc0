// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Policy denies one source many different things within a short time.
package struct DeniedBurst: Detector {
    static let denied = Threshold("denied", 30, "denials", in: 1...1e9, "denials in a minute")
    static let pairs = Threshold(
        "pairs", 5, "pairs", in: 1...1e6, "different (host, port) pairs that failed, at least")
    static let factor = Threshold(
        "factor", 4, "times", in: 1...1000, "how many times the usual denials a minute of this source it must be")
    static let capacity = 4096

    package static let guide = DetectorGuide(
        name: "denied-burst", title: "Burst of policy denials", technique: "T1021", techniqueName: "Remote Services",
        severity: "medium for a workload, low for a source outside",
        about:
            "Policy keeps one source from many different things it never tried at this pace: somebody tests how far he gets.",
        method: """
            Denials are counted in windows of a minute for each source. A window with `denied` denials, `pairs` different failed \
            pairs, and `factor` times the learnt mean (exponential, about an hour) is a burst.
            """,
        sources: [
            "V. Jacobson, Congestion Avoidance and Control, SIGCOMM 1988: exponential mean",
            "MITRE ATT&CK TA0008, Lateral Movement: attempts that segmentation stops",
        ],
        thresholds: [denied, pairs, factor],
        evidence: [
            ("denied", "denials in the window"), ("usual_denied", "learnt denials a minute"),
            ("failed_pairs", "estimate of different (host, port) pairs that failed in the sensor's record"),
        ],
        nearMisses: [
            "A program that tries one denied service for ever: one pair, and usual soon.",
            "A policy that was just switched on: few pairs each program needs; what remains is worth a look.",
        ],
        limits: ["Denials in audit mode are no denials."],
        capacity: capacity)

    private struct Window: Remembered {
        var touched: UInt64
        var weight = 0.0
        var record: UInt64
        var seen: UInt32 = 0
        var begin: UInt64
        var denied: UInt64 = 0
        var usual = Baseline()
    }

    private static let length: UInt64 = 60_000_000_000
    private let thresholds: Thresholds
    private var windows = BoundedTable<IPAddress, Window>(capacity: capacity, lifetime: 3_600_000_000_000)
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { windows.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .source(let source) = activity, source.denied > 0 else { return [] }
        let thresholds = thresholds
        let over = windows.update(
            source.source, at: source.time,
            initial: { Window(touched: source.time, record: source.since, begin: source.since) },
            { window -> (denied: UInt64, usual: Double)? in
                if window.record != source.since { (window.record, window.seen) = (source.since, 0) }
                let fresh = UInt64(source.denied.growth(since: window.seen))
                window.seen = source.denied
                window.touched = source.time
                if window.begin.distance(before: source.time) >= DeniedBurst.length {
                    window.usual.learn(
                        Double(window.denied), since: window.begin, window: DeniedBurst.length, memory: 60)
                    window.begin = source.time
                    window.denied = 0
                }
                window.denied += fresh
                window.weight = Double(window.denied)
                let isOver =
                    Double(window.denied) >= max(thresholds[Self.denied], thresholds[Self.factor] * window.usual.mean)
                    && Double(source.distinctFailures) >= thresholds[Self.pairs]
                return isOver ? (window.denied, window.usual.mean) : nil
            })
        guard let over else { return [] }
        var finding = Self.finding(
            source.time, since: source.since, source.scanSeverity,
            "Policy denied \(ScanGuide.text(source)) \(over.denied) times within a minute, on about "
                + "\(source.distinctFailures) different services.",
            [
                .number("denied", over.denied), .number("usual_denied", over.usual),
                .number("failed_pairs", source.distinctFailures),
            ])
        finding.source = source.source
        finding.sourceLength = source.length
        return announcer.announce(finding, weight: Double(over.denied))
    }
}
