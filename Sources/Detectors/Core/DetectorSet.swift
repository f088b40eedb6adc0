// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Which detectors run, and with which thresholds.
package struct DetectorConfiguration: Hashable, Sendable {
    /// Names of detectors that do not run.
    package var off: Set<String>
    /// By detector and threshold; what is absent has its default.
    package var thresholds: [String: [String: Double]]

    package init(off: Set<String> = [], thresholds: [String: [String: Double]] = [:]) {
        self.off = off
        self.thresholds = thresholds
    }

    /// What is wrong with it, in the order of names; empty if it can be used.
    package var faults: [String] {
        let known = Dictionary(uniqueKeysWithValues: DetectorCatalogue.guides.map { ($0.name, $0) })
        var faults: [String] = []
        for name in off.union(thresholds.keys).sorted() where known[name] == nil {
            faults.append("there is no detector \(name); there are \(known.keys.sorted().joined(separator: ", "))")
        }
        for (name, values) in thresholds.sorted(by: { $0.key < $1.key }) {
            guard let guide = known[name] else { continue }
            for (threshold, value) in values.sorted(by: { $0.key < $1.key }) {
                guard let declared = guide.thresholds.first(where: { $0.name == threshold }) else {
                    let names = guide.thresholds.map(\.name).joined(separator: ", ")
                    faults.append("detector \(name) has no threshold \(threshold); it has \(names)")
                    continue
                }
                if !declared.range.contains(value) {
                    faults.append(
                        "threshold \(threshold) of detector \(name) is \(value), allowed are "
                            + "\(declared.range.lowerBound) to \(declared.range.upperBound) \(declared.unit)")
                }
            }
        }
        return faults
    }
}

/// All detectors that run, as one.
///
/// While a flood with forged sources is found, what rests on unanswered packets of an outside source alone is marked as
/// forgeable: whoever forges a flood can forge a scan in another's name.
package struct DetectorSet: Sendable {
    private var detectors: [any Detector]
    private var forgedUntil: UInt64 = 0
    private var proven = ProvenSources()
    private static let forgedFor: UInt64 = 60_000_000_000

    /// Thresholds out of range count as their defaults; `DetectorConfiguration.faults` says which those are.
    package init(_ configuration: DetectorConfiguration = DetectorConfiguration()) {
        detectors = DetectorCatalogue.all.filter { !configuration.off.contains($0.name) }.map { kind in
            let declared = kind.guide.thresholds
            let values = (configuration.thresholds[kind.name] ?? [:]).filter { name, value in
                declared.contains { $0.name == name && $0.range.contains(value) }
            }
            return kind.init(Thresholds(values))
        }
    }

    /// Names of the detectors that run.
    package var names: [String] { detectors.map { type(of: $0).name } }

    /// Records that detectors gave up for want of room.
    package var forgotten: UInt64 { detectors.reduce(0) { $0 &+ $1.forgotten } }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        proven.note(activity)
        var findings: [Finding] = []
        for index in detectors.indices { findings += detectors[index].consider(activity) }
        guard !findings.isEmpty else { return findings }
        var isAlive = false
        if case .source(let source) = activity { isAlive = source.isInside || source.established > 0 }
        return judged(findings, at: activity.time, isAlive: isAlive, isProven: proven.isProven(activity))
    }

    /// What was learnt over hours; `time`: of the last activity.
    package func learnt(at time: UInt64) -> LearntState {
        var learnt = LearntState()
        for detector in detectors { detector.note(&learnt, at: time) }
        return learnt
    }

    /// Goes on with what was learnt before; `time`: of the first activity, before it is considered.
    package mutating func recall(_ learnt: LearntState, at time: UInt64) {
        for index in detectors.indices { detectors[index].recall(learnt, at: time) }
    }

    private mutating func judged(_ findings: [Finding], at time: UInt64, isAlive: Bool, isProven: Bool) -> [Finding] {
        if findings.contains(where: { $0.detector == SpoofedFlood.name }) {
            forgedUntil = time &+ DetectorSet.forgedFor
        }
        return findings.map { finding in
            var marked = finding
            marked.isSourceProven = isProven && !finding.isSourceForgeable
            guard time < forgedUntil, !isAlive else { return marked }
            if DetectorCatalogue.restOnProbes.contains(finding.detector) { marked.isSourceForgeable = true }
            return marked
        }
    }
}
