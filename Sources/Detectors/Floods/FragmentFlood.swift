// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Fragments in quantity, which cost memory for reassembly.
package struct FragmentFlood: FloodDetector {
    static let perSecond = FloodGuide.absolute(1000, "fragments")
    static let relativePerSecond = FloodGuide.relative(500, "fragments")

    package static let guide = DetectorGuide(
        name: "fragment-flood", title: "Fragment flood", technique: "T1498.001", techniqueName: "Direct Network Flood",
        severity: "high; critical from ten times the limit on",
        about:
            "Somebody sends fragments in quantity: reassembly is memory, and what never completes fills it (RFC 8900).",
        method: "The signal is the number of IP fragments of the window. " + FloodGuide.method,
        sources: ["RFC 8900, IP Fragmentation Considered Fragile; RFC 1858 and RFC 3128, attacks with fragments"]
            + FloodGuide.sources,
        thresholds: [
            perSecond, relativePerSecond, FloodGuide.deviations, FloodGuide.lasting, FloodGuide.warmUp,
        ],
        evidence: [("fragments_per_second", "fragments of the window")] + FloodGuide.evidence,
        nearMisses: [
            "Large DNS answers and single large datagrams: a few fragments a second.",
            "NFS over UDP, tunnels with a small MTU: constant, so that the baseline learns them.",
            FloodGuide.learning,
        ],
        limits: [
            "A large transfer by UDP in datagrams above the MTU (iperf3 -u -l 8000) is found if it begins before it was learnt."
        ],
        capacity: FloodWatch.capacity)

    package var record: FloodRecord

    package init(_ thresholds: Thresholds) {
        record = FloodRecord(thresholds, absolute: Self.perSecond, relative: Self.relativePerSecond)
    }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .target(let target) = activity else { return [] }
        return judge(
            target, signal: Double(target.fragments), evidence: [.number("fragments_per_second", target.fragments)],
            "\(target.fragments) fragments a second reach \(target.target).")
    }
}
