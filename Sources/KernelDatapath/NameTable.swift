// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import NetworkModel

/// One table of buckets of `bpf/abi/fqdn.h`, mapped: marks that say who holds a place and until when, and what is there.
struct NameTable: ~Copyable {
    /// One place of the table.
    struct Place {
        var bucket: Int
        var way: Int
    }

    private static let ways = Int(FQDN_WAYS)
    private let memory: MappedArray

    init(_ descriptor: borrowing FileDescriptor, _ name: String) throws(BPFError) {
        memory = try MappedArray(descriptor, name: name)
    }

    static func expiry(of mark: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: mark >> 32) }
    static func endpoint(of mark: UInt64) -> UInt16 { UInt16(truncatingIfNeeded: mark >> 16) }

    private var bucketCount: Int { memory.byteCount / memory.elementStride }

    private func markOffset(_ place: Place) -> Int {
        place.bucket * memory.elementStride + place.way * MemoryLayout<UInt64>.stride
    }

    /// Calls `body` with every place that holds something whole.
    func forEachMark(_ body: (_ mark: UInt64, Place) -> Void) {
        for bucket in 0..<bucketCount {
            for way in 0..<Self.ways {
                let place = Place(bucket: bucket, way: way)
                let mark = memory.loadAcquiringDoubleWord(at: markOffset(place))
                if mark & 1 != 0 { body(mark, place) }
            }
        }
    }

    /// Frees the places that somebody took and never filled: an earlier agent was killed in between.
    ///
    /// A program that has just taken one is done when it has been waited for, and nobody else takes what is taken.
    func reclaimLost() {
        func taken() -> [(mark: UInt64, place: Place)] {
            var found: [(UInt64, Place)] = []
            for bucket in 0..<bucketCount {
                for way in 0..<Self.ways {
                    let place = Place(bucket: bucket, way: way)
                    let mark = memory.loadAcquiringDoubleWord(at: markOffset(place))
                    if mark != 0, mark & 1 == 0 { found.append((mark, place)) }
                }
            }
            return found
        }
        let suspects = taken()
        guard !suspects.isEmpty else { return }
        RunningPrograms.wait()
        for (mark, place) in suspects { free(place, ifStill: mark) }
    }

    /// What is at a place; nil if it was changed under our eyes.
    func value<Value: BitwiseCopyable>(
        at place: Place, whileMarked mark: UInt64, as type: Value.Type = Value.self
    ) -> Value? {
        let offset =
            place.bucket * memory.elementStride + MemoryLayout<fqdn_marks>.size
            + place.way * MemoryLayout<Value>.stride
        let value = memory.value(at: offset, as: Value.self)
        // A prolonged one is the same.
        let after = memory.loadAcquiringDoubleWord(at: markOffset(place))
        return UInt32(truncatingIfNeeded: after) == UInt32(truncatingIfNeeded: mark) ? value : nil
    }

    /// Frees a place if nobody has changed it.
    func free(_ place: Place, ifStill mark: UInt64) { _ = memory.exchange(mark, for: 0, at: markOffset(place)) }

    /// Frees a place also if it was prolonged meanwhile.
    func free(_ place: Place, asFarAs tag: UInt32) {
        unsafe memory.withElement(place.bucket, as: fqdn_marks.self) { unsafe fqdn_free($0, UInt32(place.way), tag) }
    }

    /// Notes that an address has a number, in a table of facts.
    func note(_ entry: NumberedAddress, _ config: fqdn_config, now: UInt32) {
        var fact = fqdn_fact(address: ip_address(entry.address), what: UInt64(entry.number))
        let endpoint = UInt32(entry.endpoint)
        let place = unsafe withUnsafePointer(to: config) { config in
            unsafe fqdn_scatter(config, endpoint, entry.address.high.bigEndian, entry.address.low.bigEndian, 0)
        }
        unsafe memory.withElement(Int(fqdn_bucket(place, UInt32(bucketCount))), as: fqdn_fact_bucket.self) { bucket in
            _ = unsafe fqdn_note_fact(bucket, &fact, fqdn_tag(place, endpoint), entry.expires, now)
        }
    }
}
