// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import CSensors
package import DetectionModel
package import NetworkModel

/// The kernel's sensors over plain memory: what `bulkhead replay` feeds captures to.
///
/// Feed frames in the order of their times: `read`, decide who is inside, `sense`; then take what is to be said.
package final class NativeSensors {
    /// Bytes of the tables, whatever comes.
    package static let memory = bulkhead_sensors_memory()
    /// For replay, which is to give the same answer each time; live sensors have a random one.
    package static let fixedKey: [UInt8] = (0..<48).map { UInt8($0 * 37 % 256) ^ 0x5a }

    private let records: NativeRecords
    private var collector = ActivityCollector()
    private var activities: [Activity] = []
    private var nextSweep: UInt64 = 0

    /// Who sends a frame to whom, and what the parser found wrong with it (0: nothing).
    package struct Frame: Hashable, Sendable {
        package var source: IPAddress
        package var target: IPAddress
        package var reason: UInt8
    }

    /// One in `sampleMask` + 1 segments within connections is looked at; the same key gives the same estimates.
    ///
    /// `budget`: packets looked at whole in 8.4 ms, 0: all. Nil if there is no memory.
    package init?(key: [UInt8] = NativeSensors.fixedKey, sampleMask: UInt32 = 0, budget: UInt32 = 0) {
        precondition(key.count == 48, "a key has 48 bytes")
        guard let records = NativeRecords(key: key, sampleMask: sampleMask) else { return nil }
        self.records = records
        unsafe bulkhead_sensors_limit(records.sensors, budget)
    }

    /// Reads a frame; nil if there is nothing in it that sensors know about.
    ///
    /// `wireLength` may be more than the bytes at hand. `etherType` nil: it begins with an Ethernet header, else with the header of that type.
    package func read(_ bytes: RawSpan, wireLength: Int, etherType: UInt16? = nil) -> Frame? {
        let frame = unsafe bytes.withUnsafeBytes { bytes in
            unsafe bulkhead_sensors_read(
                records.sensors, bytes.baseAddress, bytes.count, max(wireLength, bytes.count), etherType ?? 0)
        }
        guard frame.has_addresses else { return nil }
        return Frame(
            source: IPAddress(networkBytes: frame.source), target: IPAddress(networkBytes: frame.target),
            reason: UInt8(clamping: frame.reason))
    }

    /// Senses the frame that was read last, at nanoseconds of the capture's clock.
    package func sense(isSourceInside: Bool, isTargetInside: Bool, isDenied: Bool = false, time: UInt64) {
        catchUp(to: time)
        unsafe bulkhead_sensors_sense(records.sensors, isSourceInside, isTargetInside, isDenied, time)
        var noteTime: UInt64 = 0
        var kind: UInt32 = 0
        var slot: UInt32 = 0
        while unsafe bulkhead_sensors_take_note(records.sensors, &noteTime, &kind, &slot) {
            let activity = collector.activity(kind: kind, slot: Int(slot), time: noteTime, in: records)
            if let activity { activities.append(activity) }
        }
    }

    /// What is sensed next comes to this processor, of two; for tests.
    package func move(toProcessor number: UInt32) { unsafe bulkhead_sensors_move(records.sensors, number) }

    /// What a reader of the kernel's tables would have seen in a pause: after two seconds there is nothing more to see.
    private func catchUp(to time: UInt64) {
        var left = 8
        while nextSweep > 0, nextSweep < time, left > 0 {
            sweep(time: nextSweep)
            left -= 1
        }
        if time >= nextSweep { sweep(time: time) }
    }

    /// Time passes without frames; also after the last one, by two seconds, so that all is said.
    package func sweep(time: UInt64) {
        collector.sweep(time: time, in: records) { activities.append($0) }
        unsafe bulkhead_sensors_watch(records.sensors, collector.isWatching)
        nextSweep = time &+ 250_000_000
    }

    /// What is to be said since the last call, oldest first.
    package func takeActivities() -> [Activity] {
        defer { activities.removeAll(keepingCapacity: true) }
        return activities
    }

    /// A counter of `sensors.h` (SENSE_COUNT_*).
    package func count(_ metric: Int) -> UInt64 {
        unsafe bulkhead_sensors_metric(records.sensors, UInt32(metric))
    }
}

/// Owns the memory.
@safe private final class NativeRecords: SensorRecords {
    let sensors: OpaquePointer

    init?(key: [UInt8], sampleMask: UInt32) {
        guard let sensors = unsafe bulkhead_sensors_create(key, sampleMask) else { return nil }
        unsafe self.sensors = sensors
    }

    deinit { unsafe bulkhead_sensors_destroy(sensors) }

    private func record<Record: BitwiseCopyable>(_ kind: Int, _ slot: Int, as type: Record.Type) -> Record? {
        unsafe bulkhead_sensors_record(sensors, UInt32(kind), UInt32(slot))?.load(as: type)
    }

    func source(_ slot: Int) -> sense_source? { record(Int(SENSE_NOTE_SOURCE), slot, as: sense_source.self) }
    func target(_ slot: Int) -> sense_target? { record(Int(SENSE_NOTE_TARGET), slot, as: sense_target.self) }
    func pair(_ slot: Int) -> sense_pair? { record(Int(SENSE_NOTE_PAIR), slot, as: sense_pair.self) }
    func zone(_ slot: Int) -> sense_zone? { record(Int(SENSE_NOTE_ZONE), slot, as: sense_zone.self) }

    func targetTimes(_ slot: Int) -> (now: UInt64, before: UInt64)? {
        guard let bytes = unsafe bulkhead_sensors_record(sensors, UInt32(SENSE_NOTE_TARGET), UInt32(slot)) else {
            return nil
        }
        func word(_ offset: Int?) -> UInt64 { unsafe bytes.load(fromByteOffset: offset ?? 0, as: UInt64.self) }
        return (
            word(MemoryLayout<sense_target>.offset(of: \.now.since)),
            word(MemoryLayout<sense_target>.offset(of: \.before.since))
        )
    }
}
