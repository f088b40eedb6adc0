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

    private let thresholds: Thresholds
    package var watch: FloodWatch
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) {
        self.thresholds = thresholds
        watch = FloodWatch(FloodGuide.limits(thresholds, Self.perSecond, Self.relativePerSecond))
    }

    package var forgotten: UInt64 { watch.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .target(let target) = activity else { return [] }
        let unasked = target.udpAnswered + target.reflected
        let signal = target.udp > unasked ? Double(target.udp - unasked) : 0
        guard let verdict = watch.judge(target, signal: signal) else { return [] }
        let severity: Severity = signal >= 10 * thresholds[Self.perSecond] ? .critical : .high
        var finding = Self.finding(
            target.time, since: verdict.since, severity,
            "\(signal.whole) datagrams a second reach \(target.target) in flows that it does not answer.",
            [.number("unanswered_per_second", signal)] + FloodGuide.evidence(verdict, target))
        finding.target = target.target
        finding.port = target.topPort
        finding.ipProtocol = .udp
        finding.isSourceForgeable = true
        return announcer.announce(finding, weight: signal)
    }
}
