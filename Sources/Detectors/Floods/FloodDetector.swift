// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// What a detector of one kind of flood keeps.
package struct FloodRecord: Sendable {
    let thresholds: Thresholds
    var watch: FloodWatch
    var announcer = Announcer()
    /// From ten times the fixed limit on it is critical.
    private let critical: Double

    init(_ thresholds: Thresholds, absolute: Threshold, relative: Threshold) {
        self.thresholds = thresholds
        watch = FloodWatch(FloodGuide.limits(thresholds, absolute, relative))
        critical = 10 * thresholds[absolute]
    }

    func severity(_ signal: Double) -> Severity { signal >= critical ? .critical : .high }
}

/// A detector whose signal a `FloodWatch` judges: what that has learnt is kept over restarts.
package protocol FloodDetector: Detector {
    var record: FloodRecord { get set }
}

extension FloodDetector {
    package var forgotten: UInt64 { record.watch.forgotten &+ record.announcer.forgotten }

    package func note(_ learnt: inout LearntState, at time: UInt64) {
        learnt.floods += record.watch.learnt(by: Self.name)
    }

    package mutating func recall(_ learnt: LearntState, at time: UInt64) {
        record.watch.recall(learnt.floods.filter { $0.detector == Self.name }, at: time)
    }

    /// Judges a window by its signal, as `FloodWatch.judge`; what is to be said about it names nobody as the source.
    mutating func judge(
        _ target: TargetActivity, signal: Double, isPlausible: Bool = true, port: UInt16 = 0,
        ipProtocol: IPProtocol? = nil, severity: Severity? = nil, evidence: @autoclosure () -> [Evidence],
        _ summary: @autoclosure () -> String
    ) -> [Finding] {
        guard let verdict = record.watch.judge(target, signal: signal, isPlausible: isPlausible) else { return [] }
        var finding = Self.finding(
            target.time, since: verdict.since, severity ?? record.severity(signal), summary(),
            evidence() + FloodGuide.evidence(verdict, target))
        finding.target = target.target
        finding.port = port
        finding.ipProtocol = ipProtocol
        finding.isSourceForgeable = true
        return record.announcer.announce(finding, weight: signal)
    }
}
