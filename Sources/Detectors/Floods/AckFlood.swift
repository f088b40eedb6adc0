// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Segments that belong to no connection, in quantity.
package struct AckFlood: FloodDetector {
    static let perSecond = FloodGuide.absolute(2000, "stray segments")
    static let relativePerSecond = FloodGuide.relative(1000, "stray segments")

    package static let guide = DetectorGuide(
        name: "ack-flood", title: "Flood of stray segments", technique: "T1499.001",
        techniqueName: "OS Exhaustion Flood",
        severity: "high; critical from ten times the limit on",
        about:
            "Somebody sends ACK, RST, FIN or other segments without a connection, to make the target search and answer.",
        method:
            "The signal is the number of TCP segments of the window that are no SYN and belong to no connection. For the first half minute nothing is judged: connections from before the sensors started look stray. "
            + FloodGuide.method,
        sources: FloodGuide.sources,
        thresholds: [
            perSecond, relativePerSecond, FloodGuide.deviations, FloodGuide.lasting, FloodGuide.warmUp,
        ],
        evidence: [("stray_per_second", "TCP segments, other than SYN, that belong to no connection")]
            + FloodGuide.evidence,
        nearMisses: [
            "Late segments of closed connections: few a second.",
            "Connections older than the sensors: the first half minute is left out.",
            "A fast scan with ACK or FIN: below the limit, or many ports of few sources; `stealth-scan` says so.",
            FloodGuide.learning,
        ],
        limits: [
            "Connections that come back after a failover from another host look stray until both directions were seen."
        ],
        capacity: FloodWatch.capacity)

    package var record: FloodRecord
    private var begin: UInt64?
    private static let grace: UInt64 = 30_000_000_000

    package init(_ thresholds: Thresholds) {
        record = FloodRecord(thresholds, absolute: Self.perSecond, relative: Self.relativePerSecond)
    }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .target(let target) = activity else { return [] }
        if begin == nil { begin = target.time }
        let signal = Double(target.strayTCP)
        let isYoung = (begin ?? 0).distance(before: target.time) < AckFlood.grace
        let isScan =
            target.distinctPorts >= 16 && target.topPort == 0 && target.distinctSources < 16
            && signal < 10 * record.thresholds[Self.perSecond]
        return judge(
            target, signal: signal, isPlausible: !isYoung && !isScan, port: target.topPort, ipProtocol: .tcp,
            evidence: [.number("stray_per_second", signal)],
            "\(signal.whole) TCP segments a second reach \(target.target) without belonging to a connection.")
    }
}
