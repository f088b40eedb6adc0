// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Handshakes that are begun and not completed, more than a listener can hold.
package struct SynFlood: FloodDetector {
    static let perSecond = FloodGuide.absolute(1000, "handshakes begun and not completed")
    static let relativePerSecond = FloodGuide.relative(500, "handshakes begun and not completed")
    static let unfinishedShare = Threshold(
        "unfinishedShare", 0.2, "share", in: 0...1, "least share of the window's handshakes that must be unfinished")
    static let scattered = Threshold(
        "scatteredPerSecond", 20_000, "1/s", in: 1...1e9,
        "limit where no port stands out and sources are few: that is a scan")

    package static let guide = DetectorGuide(
        name: "syn-flood", title: "SYN flood", technique: "T1499.001", techniqueName: "OS Exhaustion Flood",
        severity: "high; critical from ten times the limit on",
        about:
            "Somebody opens connections and never completes them, so that real users find the backlog full (RFC 4987).",
        method: "The signal is the number of SYNs of the window less the handshakes completed in it. "
            + FloodGuide.method,
        sources: [
            "RFC 4987, TCP SYN Flooding Attacks and Common Mitigations",
            "H. Wang, D. Zhang, K. G. Shin, Detecting SYN Flooding Attacks, INFOCOM 2002: difference of opened and completed connections",
        ] + FloodGuide.sources,
        thresholds: [
            perSecond, relativePerSecond, unfinishedShare, scattered, FloodGuide.deviations, FloodGuide.lasting,
            FloodGuide.warmUp,
        ],
        evidence: [
            ("unfinished_per_second", "SYNs less completed handshakes"), ("syn_per_second", "SYNs of the window"),
            ("established_per_second", "handshakes completed in the window"),
        ] + FloodGuide.evidence,
        nearMisses: [
            "A busy server without keep-alive, a flash crowd: their handshakes are completed.",
            "The first round trip of a flash crowd: a window that is not over must reach twice the limit.",
            "A fast port scan: one source, and no port stands out; `port-scan` says so.",
            FloodGuide.learning,
        ],
        limits: [
            "A service that is down while more than `relativePerSecond` clients a second try looks the same.",
            "Where SYN cookies answer, completed handshakes are those whose cookie came back.",
        ],
        capacity: FloodWatch.capacity)

    package var record: FloodRecord

    package init(_ thresholds: Thresholds) {
        record = FloodRecord(thresholds, absolute: Self.perSecond, relative: Self.relativePerSecond)
    }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .target(let target) = activity else { return [] }
        let thresholds = record.thresholds
        let unfinished = target.syn > target.established ? Double(target.syn - target.established) : 0
        let isScan = target.topPort == 0 && target.distinctSources < 16
        let isPlausible =
            unfinished >= thresholds[Self.unfinishedShare] * Double(target.syn)
            && (!isScan || unfinished >= thresholds[Self.scattered])
        let port = target.topPort == 0 ? "" : " port \(target.topPort)"
        return judge(
            target, signal: unfinished, isPlausible: isPlausible, port: target.topPort, ipProtocol: .tcp,
            evidence: [
                .number("unfinished_per_second", unfinished), .number("syn_per_second", target.syn),
                .number("established_per_second", target.established),
            ], "\(unfinished.whole) handshakes a second with \(target.target)\(port) are begun and not completed.")
    }
}
