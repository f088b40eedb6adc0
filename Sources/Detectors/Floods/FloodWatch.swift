// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// What all detectors of floods share: one signal for each target, judged against a fixed limit and against what is usual.
///
/// A window (one second) is over the limit if its signal reaches `absolute`, or the learnt upper bound if that is higher; a
/// window that is not over yet must reach the double. Once warm, `lasting` windows in a row over the baseline and over
/// `relative` do as well. While it is over, and ten seconds after, nothing is learnt.
package struct FloodWatch: Sendable {
    struct Limits: Sendable {
        var absolute: Double
        var relative: Double
        var deviations: Double
        var lasting: Int
        var warmUp: UInt64
    }

    /// Why a window is a flood.
    struct Verdict: Sendable {
        var since: UInt64
        /// Events of the window, and the most that still passed.
        var signal: Double
        var limit: Double
        /// Mean of what was usual; nil before the warm-up is over.
        var usual: Double?
    }

    private struct State: Remembered {
        var touched: UInt64
        var weight = 0.0
        var baseline = Baseline()
        var overSince: UInt64?
        var overRun = 0
        var lastOver: UInt64?
    }

    /// Windows a baseline remembers: about ten minutes.
    private static let memory = 600.0
    private static let window: UInt64 = 1_000_000_000
    private static let pause: UInt64 = 10_000_000_000

    private let limits: Limits
    private var states: BoundedTable<IPAddress, State>

    static let capacity = 1024

    init(_ limits: Limits) {
        self.limits = limits
        states = BoundedTable(capacity: FloodWatch.capacity, lifetime: 3_600_000_000_000)
    }

    var forgotten: UInt64 { states.forgotten }

    /// What is usual at the targets that were seen last.
    func learnt(by detector: String) -> [LearntState.Flood] {
        states.latest(LearntState.workloadsMax).filter { $0.value.baseline.windows > 0 }.map { target, state in
            LearntState.Flood(
                detector: detector, target: target, mean: state.baseline.mean, deviation: state.baseline.deviation,
                windows: state.baseline.windows)
        }
    }

    /// Goes on with what was usual before; the pause between is not learnt.
    mutating func recall(_ learnt: [LearntState.Flood], at time: UInt64) {
        for known in learnt.reversed() {
            var state = State(touched: time)
            state.baseline = Baseline(mean: known.mean, deviation: known.deviation, windows: known.windows)
            states.update(known.target, at: time, initial: { state }) { $0 = state }
        }
    }

    /// Judges one report.
    ///
    /// `isPlausible` says whether the window's other figures allow a flood: if not, it is none, and
    /// a high signal teaches nothing.
    mutating func judge(_ target: TargetActivity, signal: Double, isPlausible: Bool = true) -> Verdict? {
        let limits = limits
        return states.update(target.target, at: target.time, initial: { State(touched: target.time) }) { state in
            state.touched = target.time
            let isWarm = state.baseline.windows >= limits.warmUp
            let upper = max(state.baseline.upper(limits.deviations), 4 * state.baseline.mean)
            let absolute = isWarm ? max(limits.absolute, upper) : limits.absolute
            let isOverAbsolute = isPlausible && signal >= (target.isWhole ? absolute : 2 * absolute)
            let isOverUsual = isPlausible && target.isWhole && isWarm && signal >= max(limits.relative, upper)
            if let over = state.overSince, (state.lastOver ?? over).distance(before: target.time) > FloodWatch.pause {
                (state.overSince, state.overRun, state.weight) = (nil, 0, 0)
            }
            if target.isWhole { state.overRun = isOverUsual ? state.overRun + 1 : 0 }
            let isFlood = isOverAbsolute || (isOverUsual && state.overRun >= limits.lasting)
            if isFlood || isOverUsual {
                state.overSince = min(state.overSince ?? target.since, target.since)
                state.lastOver = target.time
                state.weight = max(state.weight, signal)
            }
            if target.isWhole {
                if state.overSince == nil, isPlausible || signal < limits.relative {
                    state.baseline.learn(
                        signal, since: target.since, window: FloodWatch.window, memory: FloodWatch.memory)
                } else {
                    state.baseline.skip(to: target.since)
                }
            }
            guard isFlood else { return nil }
            return Verdict(
                since: state.overSince ?? target.since, signal: signal,
                limit: isOverAbsolute ? absolute : max(limits.relative, upper),
                usual: isWarm ? state.baseline.mean : nil)
        }
    }
}

/// Thresholds that all floods have, and their evidence.
enum FloodGuide {
    static let deviations = Threshold(
        "deviations", 8, "mean deviations", in: 2...100, "how far over the learnt mean a second must be")
    static let lasting = Threshold(
        "lasting", 3, "seconds", in: 1...600, "seconds in a row over the baseline, where the fixed limit is not reached"
    )
    static let warmUp = Threshold(
        "warmUp", 300, "seconds", in: 10...604_800,
        "time of learning before the baseline counts; fixed limits count at once")

    static func absolute(_ standard: Double, _ what: String) -> Threshold {
        Threshold(
            "perSecond", standard, "1/s", in: 1...1e9, "\(what) a second that are a flood whatever was usual before")
    }

    static func relative(_ standard: Double, _ what: String) -> Threshold {
        Threshold("relativePerSecond", standard, "1/s", in: 1...1e9, "\(what) a second below which nothing is a flood")
    }

    static func limits(_ thresholds: Thresholds, _ absolute: Threshold, _ relative: Threshold) -> FloodWatch.Limits {
        FloodWatch.Limits(
            absolute: thresholds[absolute], relative: thresholds[relative], deviations: thresholds[deviations],
            lasting: Int(thresholds[lasting]), warmUp: UInt64(thresholds[warmUp]))
    }

    static let method = """
        Each target's signal is counted in windows of a second. A window over `perSecond` is a flood; so are `lasting` windows in a \
        row that are over `relativePerSecond`, over the learnt mean by `deviations` mean deviations, and over four times the \
        mean. Mean and deviation are exponential averages over about ten minutes, far values cut before they are learnt; \
        nothing is learnt while a flood goes on and ten seconds after. Where more than `perSecond` was learnt as usual, the \
        learnt bound takes its place. A window that is not over yet is a flood at twice the limit, so that a strong one is \
        found within a fraction of a second. What was learnt outlives the agent.
        """

    static let sources = [
        "V. Jacobson, Congestion Avoidance and Control, SIGCOMM 1988, and RFC 6298: exponential mean and mean deviation",
        "V. A. Siris, F. Papagalou, Application of anomaly detection algorithms for detecting SYN flooding attacks, GLOBECOM 2004: "
            + "adaptive threshold over an exponential mean, with a number of windows in a row",
        "J. W. Tukey, The Future of Data Analysis, 1962: winsorised values before they are learnt",
    ]

    static let evidence: [(name: String, meaning: String)] = [
        ("limit_per_second", "the limit that was passed: fixed, or learnt"),
        ("usual_per_second", "the learnt mean; absent during the warm-up"),
        ("packets_per_second", "all packets to the target in the window"),
        ("bytes_per_second", "IP bytes of all packets to the target in the window"),
        ("distinct_sources", "estimate of different sources in the window"),
    ]

    static func evidence(_ verdict: FloodWatch.Verdict, _ target: TargetActivity) -> [Evidence] {
        var evidence: [Evidence] = [.number("limit_per_second", verdict.limit)]
        if let usual = verdict.usual { evidence.append(.number("usual_per_second", usual)) }
        evidence += [
            .number("packets_per_second", target.packets), .number("bytes_per_second", target.bytes),
            .number("distinct_sources", target.distinctSources),
        ]
        return evidence
    }

    static let learning =
        "What has always been so: after the warm-up the learnt bound takes the place of a lower fixed limit."
}
