// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Datagrams nobody waits for, in quantity.
package struct UDPFlood: FloodDetector {
    static let perSecond = FloodGuide.absolute(1000, "unanswered datagrams")
    static let relativePerSecond = FloodGuide.relative(500, "unanswered datagrams")

    package static let guide = DetectorGuide(
        name: "udp-flood", title: "UDP flood", technique: "T1498.001", techniqueName: "Direct Network Flood",
        severity: "high; critical from ten times the limit on",
        about: "Somebody sends datagrams that the target does not answer, to fill its link or its sockets.",
        method:
            "The signal is the number of datagrams of the window less those of flows in which the target answered, and less those that `amplification` counts. "
            + FloodGuide.method,
        sources: FloodGuide.sources,
        thresholds: [
            perSecond, relativePerSecond, FloodGuide.deviations, FloodGuide.lasting, FloodGuide.warmUp,
        ],
        evidence: [("unanswered_per_second", "datagrams of flows in which the target never answered")]
            + FloodGuide.evidence,
        nearMisses: [
            "A resolver, QUIC, games, calls: the other side answers, so that their flows do not count.",
            "iperf3 -u: the server answers the first datagram of the stream.",
            FloodGuide.learning,
        ],
        limits: [
            "One-way streams (syslog, flow export, metrics, video) of more than `perSecond` are found if they begin before the warm-up is over: raise `perSecond`."
        ],
        capacity: FloodWatch.capacity)

    package var record: FloodRecord

    package init(_ thresholds: Thresholds) {
        record = FloodRecord(thresholds, absolute: Self.perSecond, relative: Self.relativePerSecond)
    }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .target(let target) = activity else { return [] }
        let unasked = target.udpAnswered + target.reflected
        let signal = target.udp > unasked ? Double(target.udp - unasked) : 0
        return judge(
            target, signal: signal, port: target.topPort, ipProtocol: .udp,
            evidence: [.number("unanswered_per_second", signal)],
            "\(signal.whole) datagrams a second reach \(target.target) in flows that it does not answer.")
    }
}
