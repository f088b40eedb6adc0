// SPDX-License-Identifier: Apache-2.0

import DetectionModel

/// What a detector of one kind of scan keeps.
package struct ScanRecord: Sendable {
    let thresholds: Thresholds
    var watch = ScanWatch()
    var announcer = Announcer()

    init(_ thresholds: Thresholds) { self.thresholds = thresholds }
}

/// A detector that judges the random walk of a source's first contacts.
package protocol ScanDetector: Detector {
    var record: ScanRecord { get set }
}

extension ScanDetector {
    package var forgotten: UInt64 { record.watch.forgotten &+ record.announcer.forgotten }

    /// What is to be said about a scan; `change`: what the finding does not name.
    mutating func tell(
        _ source: SourceActivity, _ walk: ScanWalk, _ severity: Severity, weight: Double, _ summary: String,
        _ change: (inout Finding) -> Void = { _ in }
    ) -> [Finding] {
        var finding = Self.finding(
            source.time, since: walk.begin, severity, summary, ScanGuide.evidence(walk, source))
        ScanGuide.name(&finding, source, walk)
        change(&finding)
        return record.announcer.announce(finding, weight: weight)
    }
}

extension SourceActivity {
    /// Of a scan: a workload has no reason to look around, the internet does it all day.
    var scanSeverity: Severity { isInside ? .medium : .low }
}
