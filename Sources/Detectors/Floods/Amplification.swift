// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Answers of reflectors that nobody here asked for.
package struct Amplification: FloodDetector {
    static let perSecond = FloodGuide.absolute(200, "unasked datagrams from reflectors' ports")
    static let relativePerSecond = FloodGuide.relative(100, "unasked datagrams from reflectors' ports")

    package static let guide = DetectorGuide(
        name: "amplification", title: "Reflection and amplification", technique: "T1498.002",
        techniqueName: "Reflection Amplification", severity: "high; critical from 100 MB a second on",
        about: """
            Somebody asks open services elsewhere in this target's name, and their answers, many times larger, come here. The \
            sources of the datagrams are victims too: none is named.
            """,
        method: """
            The signal is the number of datagrams of the window whose source port is one of a known reflector (DNS, NTP, SSDP, \
            memcached, CLDAP, chargen and others) and whose flow nobody here began. \(FloodGuide.method)
            """,
        sources: [
            "C. Rossow, Amplification Hell: Revisiting Network Protocols for DDoS Abuse, NDSS 2014",
            "US-CERT TA14-017A, UDP-Based Amplification Attacks",
        ] + FloodGuide.sources,
        thresholds: [
            perSecond, relativePerSecond, FloodGuide.deviations, FloodGuide.lasting, FloodGuide.warmUp,
        ],
        evidence: [
            ("reflected_per_second", "unasked datagrams from reflectors' ports"),
            ("reflected_bytes_per_second", "their IP bytes"),
            ("reflector_port", "the port that most of them came from"),
        ] + FloodGuide.evidence,
        nearMisses: [
            "Answers of resolvers and time servers that were asked: their flow began here.",
            "Answers that come after the question was given up: few a second.",
        ],
        limits: ["Reflectors on ports that are not in the list count as a UDP flood."],
        capacity: FloodWatch.capacity)

    package var record: FloodRecord

    package init(_ thresholds: Thresholds) {
        record = FloodRecord(thresholds, absolute: Self.perSecond, relative: Self.relativePerSecond)
    }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .target(let target) = activity else { return [] }
        let kind = ServicePorts.reflectors[target.reflectorPort].map { " (\($0))" } ?? ""
        return judge(
            target, signal: Double(target.reflected), ipProtocol: .udp,
            severity: target.reflectedBytes >= 100_000_000 ? .critical : .high,
            evidence: [
                .number("reflected_per_second", target.reflected),
                .number("reflected_bytes_per_second", target.reflectedBytes),
                Evidence("reflector_port", .ports([target.reflectorPort])),
            ],
            "\(target.reflected) answers a second that nobody asked for reach \(target.target) from port "
                + "\(target.reflectorPort)\(kind).")
    }
}
