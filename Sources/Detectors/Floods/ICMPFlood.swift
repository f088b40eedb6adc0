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

    package var record: FloodRecord

    package init(_ thresholds: Thresholds) {
        record = FloodRecord(thresholds, absolute: Self.perSecond, relative: Self.relativePerSecond)
    }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .target(let target) = activity, target.isInside else { return [] }
        return judge(
            target, signal: Double(target.icmp), ipProtocol: target.target.isIPv4 ? .icmp : .icmpv6,
            evidence: [.number("icmp_per_second", target.icmp)],
            "\(target.icmp) ICMP packets a second reach \(target.target).")
    }
}
