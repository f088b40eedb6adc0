// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Echo requests and other ICMP in quantity.
package struct ICMPFlood: FloodDetector {
    static let perSecond = FloodGuide.absolute(1000, "ICMP packets")
    static let relativePerSecond = FloodGuide.relative(500, "ICMP packets")

    package static let guide = DetectorGuide(
        name: "icmp-flood", title: "ICMP flood", technique: "T1498.001", techniqueName: "Direct Network Flood",
        severity: "high; critical from ten times the limit on",
        about: "Somebody sends ICMP in quantity (ping -f, smurf), to fill a link or to make the target answer.",
        method: "The signal is the number of ICMP packets of the window. " + FloodGuide.method,
        sources: FloodGuide.sources,
        thresholds: [
            perSecond, relativePerSecond, FloodGuide.deviations, FloodGuide.lasting, FloodGuide.warmUp,
        ],
        evidence: [("icmp_per_second", "ICMP packets of the window, both versions")] + FloodGuide.evidence,
        nearMisses: [
            "ping, traceroute, path MTU discovery, monitoring of many hosts: tens a second for one target.",
            FloodGuide.learning,
        ],
        limits: [
            "An administrator's own ping -f is found too; it is what it looks like.",
            "What leaves for hosts outside is not looked at: it is mostly answers to such a flood, to whom its sources were forged.",
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
        guard case .target(let target) = activity, target.isInside else { return [] }
        let signal = Double(target.icmp)
        guard let verdict = watch.judge(target, signal: signal) else { return [] }
        let severity: Severity = signal >= 10 * thresholds[Self.perSecond] ? .critical : .high
        var finding = Self.finding(
            target.time, since: verdict.since, severity,
            "\(signal.whole) ICMP packets a second reach \(target.target).",
            [.number("icmp_per_second", signal)] + FloodGuide.evidence(verdict, target))
        finding.target = target.target
        finding.ipProtocol = target.target.isIPv4 ? .icmp : .icmpv6
        finding.isSourceForgeable = true
        return announcer.announce(finding, weight: signal)
    }
}
