// SPDX-License-Identifier: Apache-2.0

package import CDatapathABI
package import DetectionModel

/// Where sensors' records lie: the kernel's maps or plain memory.
///
/// Slots count ways of all sets; a record is nil while it is nobody's.
package protocol SensorRecords: ~Copyable {
    func source(_ slot: Int) -> sense_source?
    func target(_ slot: Int) -> sense_target?
    func pair(_ slot: Int) -> sense_pair?
    func zone(_ slot: Int) -> sense_zone?
    /// When the second of a target began, and the one before: cheaper than the record.
    func targetTimes(_ slot: Int) -> (now: UInt64, before: UInt64)?
}

/// Makes activities of notes and records: what a note names, what turns out unanswered later, and each second of a target.
///
/// Pure: the caller says what time it is.
package struct ActivityCollector: Sendable {
    /// Number of targets' slots.
    package static let targetCount = Int(SENSE_TARGET_SETS) * Int(SENSE_WAYS)
    /// How long after a probe it may be said that nothing came back: two ticks and a bit.
    private static let patience: UInt64 = 1_200_000_000
    /// How long after a probe an answer is late: what was said then is said again, for who sends a few probes and waits.
    private static let lateness: UInt64 = 300_000_000
    private static let second: UInt64 = 1_000_000_000
    /// SYNs in a second from which on handshakes are watched closely.
    private static let watchedRate: UInt32 = 200

    /// By slot: the begin of the last second that was reported.
    private var reported = [UInt64](repeating: 0, count: targetCount)
    /// By slot: when to look at a source again, what was said of it, and the first such time until then.
    private var waiting: [Int: (due: UInt64, unanswered: UInt32, late: UInt64?)] = [:]
    /// True if handshakes are to be watched closely: some target gets more SYNs than usual.
    package private(set) var isWatching = false

    package init() {}

    /// What a note names, as it is now; nil if the record was taken over meanwhile.
    package mutating func activity(
        kind: UInt32, slot: Int, time: UInt64, in records: borrowing some SensorRecords & ~Copyable
    ) -> Activity? {
        switch Int(kind) {
        case Int(SENSE_NOTE_SOURCE):
            guard let record = records.source(slot) else { return nil }
            if record.isWaiting(at: time) {
                waiting[slot] = (
                    time &+ ActivityCollector.patience, record.unanswered(at: time), time &+ ActivityCollector.lateness
                )
            }
            return .source(SourceActivity(record, time: time))
        case Int(SENSE_NOTE_TARGET):
            return records.target(slot).map {
                .target(TargetActivity($0, isBefore: false, time: time, isWhole: false))
            }
        case Int(SENSE_NOTE_PAIR): return records.pair(slot).map { .pair(PairActivity($0, time: time)) }
        case Int(SENSE_NOTE_ZONE): return records.zone(slot).map { .zone(ZoneActivity($0, time: time)) }
        default: return nil
        }
    }

    /// Seconds that have ended, and probes that nothing came back for; called a few times a second.
    package mutating func sweep(
        time: UInt64, in records: borrowing some SensorRecords & ~Copyable, _ body: (Activity) -> Void
    ) {
        isWatching = false
        for slot in 0..<ActivityCollector.targetCount {
            guard let times = records.targetTimes(slot), times.now > 0 else { continue }
            let isOver = times.now &+ ActivityCollector.second <= time
            let wantsBefore = times.before > reported[slot]
            let wantsNow = isOver && times.now > reported[slot]
            guard wantsBefore || wantsNow || !isOver, let record = records.target(slot) else { continue }
            if !isOver, max(record.now.syn, record.before.syn) >= ActivityCollector.watchedRate { isWatching = true }
            if wantsBefore, record.before.since == times.before {
                reported[slot] = times.before
                body(.target(TargetActivity(record, isBefore: true, time: time, isWhole: true)))
            }
            if wantsNow, record.now.since == times.now, record.now.packets > 0 || record.now.established > 0 {
                reported[slot] = times.now
                body(.target(TargetActivity(record, isBefore: false, time: time, isWhole: true)))
            }
        }
        for (slot, wait) in waiting where min(wait.due, wait.late ?? wait.due) <= time {
            let isLate = wait.due > time
            waiting[slot] = isLate ? (wait.due, wait.unanswered, nil) : nil
            guard let record = records.source(slot),
                isLate ? record.isWaiting(at: time) : record.unanswered(at: time) > wait.unanswered
            else { continue }
            body(.source(SourceActivity(record, time: time)))
        }
    }
}
