// SPDX-License-Identifier: Apache-2.0

package import BPFRuntime
import CDatapathABI
package import DetectionModel
import Glibc
import Sensing

/// The sensors in this machine's kernel: switched on and off, and read.
///
/// Records stay where they are; of a note the one page that holds it is looked at.
package struct ShieldSensors: ~Copyable {
    private let settings: MappedArray
    private let records: KernelRecords
    private let notes: RingBufferMemory
    private let metrics: BPFMap<UInt32, metric>
    private var collector = ActivityCollector()
    private var nextSweep: UInt64 = 0

    /// Maps that outlive the agent, and what else `bpf/lib/sense_tables.h` keeps in maps that take room.
    package static let keptMaps = [
        "sense_settings_map", "sense_sources_map", "sense_brief_map", "sense_targets_map", "sense_pairs_map",
        "sense_zones_map", "sense_flows_map", "sense_handshakes_map",
    ]
    /// In the order of SENSE_PROGRAM_*; what the endpoints' programs hand packets to.
    package static let programs = ["tc_sense_out", "tc_sense_out_denied", "tc_sense_in", "tc_sense_in_denied"]

    /// How segments within connections are sampled, one in 32, and how many notes a CPU may write: 1000 a second.
    private static let sampleMask: UInt32 = 31
    private static let noteCost: UInt64 = 1_000_000
    private static let noteBurst: UInt64 = 1_000_000_000
    /// Packets that a CPU looks at whole in 8.4 ms: 60 000 a second.
    private static let budget: UInt32 = 512

    /// Takes the tables of a loaded object.
    package init(_ object: borrowing BPFObject) throws(BPFError) {
        let settings = try MappedArray(object.mapDescriptor("sense_settings_map"), name: "sense_settings_map")
        let records = try KernelRecords(object)
        let notes = try RingBufferMemory(object.mapDescriptor("sense_notes_map"), name: "sense_notes_map")
        // Assigned last: a type that cannot be copied is built whole or not at all.
        metrics = try object.map("sense_metrics_map")
        self.settings = settings
        self.records = records
        self.notes = notes
    }

    /// Where there are to be no sensors the endpoints' programs have nothing to hand on, and the tables take no room.
    static func leaveOut(_ object: borrowing BPFObject) throws(BPFError) {
        try object.keep(programs: Set(object.programNames).subtracting(programs))
        try shrink(object)
    }

    /// Tables of one element.
    package static func shrink(_ object: borrowing BPFObject) throws(BPFError) {
        for name in keptMaps where name != "sense_settings_map" { try object.resize(map: name, entryCountMax: 1) }
    }

    /// From now on packets are seen.
    ///
    /// `hasEndpoints`: the endpoints' programs hand theirs on. `key`, `sampleMask`, `budget`: for tests.
    package func switchOn(
        hasEndpoints: Bool, key: [UInt64]? = nil, sampleMask: UInt32? = nil, budget: UInt32? = nil
    ) {
        var value = settings.value(at: 0, as: sense_settings.self)
        if let key {
            value.hash_key = (key[0], key[1])
            value.mix_key = (key[2], key[3] | 1, key[4], key[5] | 1)
        } else if value.mix_key.1 == 0 {
            // A secret of this machine's own, kept as long as the tables.
            var generator = SystemRandomNumberGenerator()
            func word() -> UInt64 { UInt64.random(in: 1...UInt64.max, using: &generator) }
            value.hash_key = (word(), word())
            value.mix_key = (word(), word() | 1, word(), word() | 1)
        }
        value.sample_mask = sampleMask ?? ShieldSensors.sampleMask
        value.note_cost = ShieldSensors.noteCost
        value.note_burst = ShieldSensors.noteBurst
        value.budget = budget ?? ShieldSensors.budget
        // What was asked before nobody has looked at.
        if value.flags & UInt32(SENSE_ON) == 0 { value.load = ShieldSensors.now() & ~15 }
        settings.write(value, at: 0)
        settings.storeReleasing(UInt32(SENSE_ON) | (hasEndpoints ? UInt32(SENSE_ENDPOINTS) : 0), at: 0)
    }

    package func switchOff() { settings.storeReleasing(0, at: 0) }

    /// What is to be said since the last call; for calling a few times a second.
    package mutating func poll() -> [Activity] { poll(now: ShieldSensors.now()) }

    /// The same at a time of the kernel's monotonic clock, in nanoseconds.
    package mutating func poll(now: UInt64) -> [Activity] {
        var activities: [Activity] = []
        var pending: [sense_note] = []
        _ = notes.drain(recordCountMax: 4096) { bytes in
            guard bytes.byteCount >= MemoryLayout<sense_note>.size else { return }
            pending.append(unsafe bytes.unsafeLoadUnaligned(as: sense_note.self))
        }
        for note in pending {
            let activity = collector.activity(
                kind: note.kind, slot: Int(note.slot), time: note.time, in: records)
            if let activity { activities.append(activity) }
        }
        guard now >= nextSweep else { return activities }
        nextSweep = now &+ 250_000_000
        collector.sweep(time: now, in: records) { activities.append($0) }
        let offset = MemoryLayout<sense_settings>.offset(of: \.watching) ?? 64
        if (settings.loadAcquiring(at: offset) != 0) != collector.isWatching {
            settings.storeReleasing(collector.isWatching ? 1 : 0, at: offset)
        }
        return activities
    }

    /// A counter of `sensors.h` (SENSE_COUNT_*).
    package func count(_ index: Int) throws(BPFError) -> UInt64 {
        (try metrics.valuesPerCPU(for: UInt32(index)) ?? []).reduce(0) { $0 &+ $1.packets }
    }

    /// Bytes of all tables in the kernel.
    package static var memory: Int {
        Int(SENSE_SOURCE_SETS) * MemoryLayout<sense_source_set>.stride
            + Int(SENSE_BRIEF_SETS) * MemoryLayout<sense_brief_set>.stride
            + Int(SENSE_TARGET_SETS) * MemoryLayout<sense_target_set>.stride
            + Int(SENSE_PAIR_SETS) * MemoryLayout<sense_pair_set>.stride
            + Int(SENSE_ZONE_SETS) * MemoryLayout<sense_zone_set>.stride
            + Int(SENSE_FLOW_SETS) * MemoryLayout<sense_flow_set>.stride
            + Int(SENSE_HANDSHAKE_CELLS) * MemoryLayout<UInt64>.stride
    }

    /// Nanoseconds of the kernel programs' clock.
    package static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
