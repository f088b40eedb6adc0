// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import Sensing

/// The sensors' records in the kernel's maps.
///
/// Targets are looked at all the time and stay mapped; of the others a page at a time is: mapped tables would count as this
/// process's memory.
struct KernelRecords: ~Copyable, SensorRecords {
    private let targets: MappedArray
    private let sources: FileDescriptor
    private let pairs: FileDescriptor
    private let zones: FileDescriptor

    init(_ object: borrowing BPFObject) throws(BPFError) {
        let targets = try MappedArray(object.mapDescriptor("sense_targets_map"), name: "sense_targets_map")
        let sources = try object.mapDescriptor("sense_sources_map")
        let pairs = try object.mapDescriptor("sense_pairs_map")
        // Assigned last: a type that cannot be copied is built whole or not at all.
        zones = try object.mapDescriptor("sense_zones_map")
        self.targets = targets
        self.sources = sources
        self.pairs = pairs
    }

    func source(_ slot: Int) -> sense_source? {
        read(
            sources, slot, stride: MemoryLayout<sense_source_set>.stride,
            MemoryLayout<sense_source_set>.offset(of: \.ways))
    }

    func pair(_ slot: Int) -> sense_pair? {
        read(pairs, slot, stride: MemoryLayout<sense_pair_set>.stride, MemoryLayout<sense_pair_set>.offset(of: \.ways))
    }

    func zone(_ slot: Int) -> sense_zone? {
        read(zones, slot, stride: MemoryLayout<sense_zone_set>.stride, MemoryLayout<sense_zone_set>.offset(of: \.ways))
    }

    func target(_ slot: Int) -> sense_target? {
        place(ofTarget: slot).map { targets.value(at: $0, as: sense_target.self) }
    }

    func targetTimes(_ slot: Int) -> (now: UInt64, before: UInt64)? {
        guard let place = place(ofTarget: slot) else { return nil }
        func word(_ offset: Int?) -> UInt64 { targets.value(at: place + (offset ?? 0), as: UInt64.self) }
        return (
            word(MemoryLayout<sense_target>.offset(of: \.now.since)),
            word(MemoryLayout<sense_target>.offset(of: \.before.since))
        )
    }

    /// Where a target's record begins; nil if it is nobody's.
    private func place(ofTarget slot: Int) -> Int? {
        let (number, way) = slot.quotientAndRemainder(dividingBy: Int(SENSE_WAYS))
        let set = number * targets.elementStride
        guard set + targets.elementStride <= targets.byteCount else { return nil }
        let tag = targets.value(at: set + 4 * way, as: UInt32.self)
        guard tag > UInt32(SENSE_TAG_BUSY) else { return nil }
        return set + (MemoryLayout<sense_target_set>.offset(of: \.ways) ?? 64) + way * MemoryLayout<sense_target>.stride
    }

    private func read<Record: BitwiseCopyable>(
        _ map: borrowing FileDescriptor, _ slot: Int, stride: Int, _ ways: Int?
    ) -> Record? {
        let (number, way) = slot.quotientAndRemainder(dividingBy: Int(SENSE_WAYS))
        let set = number * stride
        do throws(BPFError) {
            let memory = try MappedArray(map, name: "sensors", covering: set..<set + stride)
            let tag = memory.value(at: set + 4 * way, as: UInt32.self)
            guard tag > UInt32(SENSE_TAG_BUSY) else { return nil }
            return memory.value(at: set + (ways ?? 64) + way * MemoryLayout<Record>.stride, as: Record.self)
        } catch {
            return nil
        }
    }
}
