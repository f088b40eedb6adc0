// SPDX-License-Identifier: Apache-2.0

package import DetectionModel

/// A pure state machine: what sensors report goes in, findings come out.
///
/// Its clock is the activities' own; nothing else tells it the time. Its memory is bounded whatever the sensors report: what does not fit is forgotten, lightest and oldest first, and
/// counted.
package protocol Detector: Sendable {
    /// Everything about the detector that a person or a page needs; its name, technique and thresholds are in force from here.
    static var guide: DetectorGuide { get }
    init(_ thresholds: Thresholds)
    /// Takes one report. Time may not move, or jump either way.
    mutating func consider(_ activity: Activity) -> [Finding]
    /// Adds what takes hours to learn; `time`: of the activities' clock.
    func note(_ learnt: inout LearntState, at time: UInt64)
    /// Goes on with what an earlier detector has learnt; before the first report, whose time is `time`.
    mutating func recall(_ learnt: LearntState, at time: UInt64)
    /// Records given up for want of room since the start.
    var forgotten: UInt64 { get }
}

extension Detector {
    package static var name: String { guide.name }
    package static var technique: String { guide.technique }

    /// Most detectors learn within minutes what they need.
    package func note(_ learnt: inout LearntState, at time: UInt64) {}
    package mutating func recall(_ learnt: LearntState, at time: UInt64) {}

    /// A finding of this detector, without source and target.
    static func finding(
        _ activityTime: UInt64, since: UInt64, _ severity: Severity, _ summary: String, _ evidence: [Evidence]
    ) -> Finding {
        Finding(
            time: activityTime, since: since, detector: name, severity: severity, technique: technique,
            summary: summary, evidence: evidence)
    }
}

extension Evidence {
    static func number(_ name: String, _ value: some BinaryInteger) -> Evidence {
        Evidence(name, .number(Double(value)))
    }

    /// Rounded to hundredths: more digits say nothing.
    static func number(_ name: String, _ value: Double) -> Evidence {
        Evidence(name, .number((value * 100).rounded() / 100))
    }
}
