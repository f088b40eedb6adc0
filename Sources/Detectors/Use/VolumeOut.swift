// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// A workload sends far more to the outside than it ever did.
package struct VolumeOut: Detector {
    static let floor = Threshold(
        "bytes", 100_000_000, "bytes", in: 1...1e15, "IP bytes sent out in ten minutes below which nothing is unusual")
    static let deviations = Threshold("deviations", 8, "mean deviations", in: 1...100, "how far over the learnt mean")
    static let factor = Threshold(
        "factor", 3, "times", in: 1...1000, "how many times the most of the learnt windows it must be")
    static let warmUp = Threshold(
        "warmUp", 86_400, "seconds", in: 600...1e7,
        "time of learning for each workload, a whole day: nightly backups belong to it")
    static let capacity = 2048

    package static let guide = DetectorGuide(
        name: "volume-out", title: "Unusual volume out", technique: "T1048",
        techniqueName: "Exfiltration Over Alternative Protocol", severity: "high",
        about:
            "A workload sends far more data to places outside within ten minutes than in all the time it was watched.",
        method: """
            What connections that a workload opened send out is added up in windows of ten minutes for each workload. After `warmUp` \
            a window is unusual that is over `bytes`, over the learnt mean by `deviations` mean deviations, and over `factor` \
            times the most of any window learnt (the most fades by half in ten days). Unusual windows are not learnt.
            """,
        sources: [
            "V. Jacobson, Congestion Avoidance and Control, SIGCOMM 1988: exponential mean and mean deviation",
            "M. Marchetti, F. Pierazzi, M. Colajanni, A. Guido, Analysis of high volumes of network traffic for Advanced Persistent Threat detection, Computer Networks 2016: "
                + "bytes to the outside, compared with the host's own past",
        ],
        thresholds: [floor, deviations, factor, warmUp],
        evidence: [
            ("bytes_out", "IP bytes sent out in the window so far"), ("usual_bytes_out", "learnt mean of a window"),
            ("most_bytes_out", "most of any learnt window"),
            ("bytes_to_target", "of the report that crossed the limit"),
        ],
        nearMisses: [
            "Backups, uploads, replication: seen once within the learning time, they are the most of a window.",
            "Downloads by others from a server here: connections that somebody outside opened do not count.",
            "iperf3, package downloads: below the learnt most, or within the learning time.",
        ],
        limits: [
            "What a workload did from its first day on is usual.",
            "Slow exfiltration stays below every window's limit.",
        ],
        capacity: capacity)

    private struct Usual: Remembered {
        var touched: UInt64
        var weight: Double { most }
        var begin: UInt64
        var window: UInt64
        var sent = 0.0
        var most = 0.0
        var baseline = Baseline()
        var isUnusual = false
        /// How long it was watched before the agent's start.
        var watchedBefore: UInt64 = 0
    }

    private static let length: UInt64 = 600_000_000_000
    /// Half in ten days, in steps of ten minutes.
    private static let fading = 0.999_518

    private let thresholds: Thresholds
    private var growth = PairGrowth(capacity: 8192)
    private var usual = BoundedTable<IPAddress, Usual>(capacity: capacity, lifetime: 7 * 86_400_000_000_000)
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { usual.forgotten &+ growth.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .pair(let pair) = activity, pair.isClientInside, !pair.isServerInside else { return [] }
        let sent = Double(growth.sent(pair))
        let thresholds = thresholds
        let over = usual.update(
            pair.client, at: pair.time, initial: { Usual(touched: pair.time, begin: pair.time, window: pair.time) },
            { usual -> Usual? in
                usual.touched = pair.time
                VolumeOut.roll(&usual, to: pair.time)
                usual.sent += sent
                let watched = usual.begin.distance(before: pair.time) &+ usual.watchedBefore
                guard watched >= thresholds.nanoseconds(Self.warmUp) else { return nil }
                let limit = max(
                    thresholds[Self.floor], usual.baseline.upper(thresholds[Self.deviations]),
                    thresholds[Self.factor] * usual.most)
                guard usual.sent >= limit else { return nil }
                usual.isUnusual = true
                return usual
            })
        guard let over else { return [] }
        var finding = Self.finding(
            pair.time, since: over.window, .high,
            "\(pair.client) sent \((over.sent / 1e6).whole) MB out within ten minutes; the most so far was "
                + "\((over.most / 1e6).whole) MB.",
            [
                .number("bytes_out", over.sent), .number("usual_bytes_out", over.baseline.mean),
                .number("most_bytes_out", over.most), .number("bytes_to_target", pair.bytesSent),
            ])
        finding.source = pair.client
        finding.sourceLength = pair.client.isIPv4 ? 32 : 128
        // The place that the data went to at last; the alert is the workload's, so the key must not change with it.
        finding.evidence.append(Evidence("last_target", .addresses([pair.server])))
        return announcer.announce(finding, weight: over.sent)
    }

    package func note(_ learnt: inout LearntState, at time: UInt64) {
        learnt.volumes = usual.latest(LearntState.workloadsMax).map { address, usual in
            LearntState.Volume(
                workload: address, watched: usual.begin.distance(before: time) &+ usual.watchedBefore,
                mean: usual.baseline.mean, deviation: usual.baseline.deviation, windows: usual.baseline.windows,
                most: usual.isUnusual ? usual.most : max(usual.most, usual.sent))
        }
    }

    package mutating func recall(_ learnt: LearntState, at time: UInt64) {
        for known in learnt.volumes.reversed() {
            var volume = Usual(touched: time, begin: time, window: time)
            (volume.watchedBefore, volume.most) = (known.watched, known.most)
            volume.baseline = Baseline(mean: known.mean, deviation: known.deviation, windows: known.windows)
            usual.update(known.workload, at: time, initial: { volume }) { $0 = volume }
        }
    }

    private static func roll(_ usual: inout Usual, to time: UInt64) {
        let passed = usual.window.distance(before: time) / length
        guard passed > 0 else { return }
        if usual.isUnusual {
            usual.baseline.skip(to: usual.window)
        } else {
            usual.baseline.learn(usual.sent, since: usual.window, window: length, memory: 144)
            usual.most = max(usual.most, usual.sent)
        }
        for _ in 0..<min(passed, 4096) { usual.most *= fading }
        usual.window += passed * length
        usual.sent = 0
        usual.isUnusual = false
    }
}
