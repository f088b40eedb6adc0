// SPDX-License-Identifier: Apache-2.0

package import CDatapathABI
import IdentityModel
import NetworkModel
package import PolicyCompiler

/// The image of the policy hash of one bank: bucket heads and chained entries (`bpf/abi/policy.h`).
///
/// New entries go to the front of their chain, so one insertion dirties one head and one entry.
package final class PolicyTable {
    package let heads: TableMemory<UInt32>
    package let entries: TableMemory<policy_entry>
    /// Number of buckets minus one.
    package let bucketMask: UInt32
    /// Entries the table holds at most.
    package let capacity: Int
    /// Entries in it.
    package private(set) var count = 0

    private var freeEntries: [UInt32] = []
    private var firstUnused: UInt32 = 0
    private var chainLengths: [UInt8]
    /// Entries of each subject, by slot.
    private var slotCounts = [UInt32](repeating: 0, count: Int(UInt16.max) + 1)

    /// `buckets` must be a power of two; `capacity` is rounded up to whole chunks only in memory, not in the limit.
    package init(buckets: Int, capacity: Int) {
        precondition(buckets > 0 && buckets & (buckets - 1) == 0, "number of buckets is no power of two")
        let headsPerChunk = Int(POLICY_CHUNK_BYTES) / MemoryLayout<UInt32>.stride
        let entriesPerChunk = Int(POLICY_CHUNK_BYTES) / MemoryLayout<policy_entry>.stride
        heads = TableMemory(
            zero: 0, chunkElements: headsPerChunk, chunkCountMax: (buckets + headsPerChunk - 1) / headsPerChunk)
        entries = TableMemory(
            zero: policy_entry(), chunkElements: entriesPerChunk,
            chunkCountMax: (capacity + entriesPerChunk - 1) / entriesPerChunk)
        bucketMask = UInt32(buckets - 1)
        self.capacity = capacity
        chainLengths = Array(repeating: 0, count: buckets)
    }

    /// Throws, before anything is changed, if the result would not fit.
    package func check(removing removals: [PolicyKey], setting settings: [MapChanges.PolicySetting]) throws(TableError)
    {
        // Mostly there is room even if all of it were new and nothing went: then no entry is looked at.
        if count + settings.count <= capacity, chainsHaveRoom(for: settings) { return }
        var lengthChanges: [UInt32: Int] = [:]
        var needed = count
        for setting in settings where find(policy_key(setting.key)) == nil {
            needed += 1
            lengthChanges[bucket(of: policy_key(setting.key)), default: 0] += 1
        }
        for key in removals where find(policy_key(key)) != nil {
            needed -= 1
            lengthChanges[bucket(of: policy_key(key)), default: 0] -= 1
        }
        guard needed <= capacity else { throw .full(.policyEntries, needed: needed, capacity: capacity) }
        for (bucket, change) in lengthChanges {
            let length = Int(chainLengths[Int(bucket)]) + change
            guard length <= Int(POLICY_CHAIN_MAX) else {
                throw .chainTooLong(length: length, max: Int(POLICY_CHAIN_MAX), buckets: Int(bucketMask) + 1)
            }
        }
    }

    /// True if no chain would be too long with an entry more for each setting.
    private func chainsHaveRoom(for settings: [MapChanges.PolicySetting]) -> Bool {
        // Those of one bucket come one after the other.
        var (last, length): (UInt32?, UInt8) = (nil, 0)
        for place in order(of: settings).places {
            if place.bucket != last { (last, length) = (place.bucket, chainLengths[Int(place.bucket)]) }
            length += 1
            guard length <= UInt8(POLICY_CHAIN_MAX) else { return false }
        }
        return true
    }

    private func order(of settings: [MapChanges.PolicySetting]) -> BucketOrder {
        BucketOrder(count: settings.count, mask: bucketMask) { bucket(of: policy_key(settings[$0].key)) }
    }

    /// Inserts or changes one entry.
    ///
    /// `check` must have approved it.
    package func set(_ key: PolicyKey, to value: PolicyValue) {
        let packed = policy_key(key)
        if let index = find(packed) {
            entries[Int(index)].setVerdicts(value)
        } else {
            insert(packed, value, in: Int(bucket(of: packed)))
        }
    }

    /// Inserts or changes many entries; those of a slot that had none are not looked for.
    ///
    /// `check` must have approved them; no two have the same key.
    package func set(_ settings: [MapChanges.PolicySetting]) {
        var filled: Set<UInt16> = []
        var last: UInt16?
        for setting in settings where setting.key.subject != last {
            last = setting.key.subject
            if slotCounts[Int(setting.key.subject)] == 0 { filled.insert(setting.key.subject) }
        }
        // Mostly all are of one slot.
        var (slot, isFilled): (UInt16?, Bool) = (nil, false)
        for place in order(of: settings).places {
            let setting = settings[place.index]
            if setting.key.subject != slot {
                (slot, isFilled) = (setting.key.subject, filled.contains(setting.key.subject))
            }
            if isFilled {
                insert(policy_key(setting.key), setting.value, in: Int(place.bucket))
            } else {
                set(setting.key, to: setting.value)
            }
        }
    }

    private func insert(_ packed: policy_key, _ value: PolicyValue, in bucket: Int) {
        let index = takeFreeEntry()
        var entry = policy_entry()
        entry.key = packed
        entry.next = heads[bucket]
        entry.setVerdicts(value)
        entries[Int(index)] = entry
        heads[bucket] = index + 1
        chainLengths[bucket] += 1
        slotCounts[Int(packed.subject)] += 1
        count += 1
    }

    /// Removes one entry; false if there is none.
    @discardableResult
    package func remove(_ key: PolicyKey) -> Bool {
        let packed = policy_key(key)
        return remove(packed, from: Int(bucket(of: packed)))
    }

    /// Removes many entries; what is not there is left out.
    package func remove(_ keys: [PolicyKey]) {
        let order = BucketOrder(count: keys.count, mask: bucketMask) { bucket(of: policy_key(keys[$0])) }
        // From the end: what is freed last is taken first.
        for place in order.places.reversed() { remove(policy_key(keys[place.index]), from: Int(place.bucket)) }
    }

    @discardableResult
    private func remove(_ packed: policy_key, from bucket: Int) -> Bool {
        var previous: UInt32 = 0
        var link = heads[bucket]
        while link != 0, !entries[Int(link - 1)].key.equals(packed) {
            previous = link
            link = entries[Int(link - 1)].next
        }
        guard link != 0 else { return false }
        let next = entries[Int(link - 1)].next
        if previous == 0 {
            heads[bucket] = next
        } else {
            entries[Int(previous - 1)].next = next
        }
        freeEntries.append(link - 1)
        chainLengths[bucket] -= 1
        slotCounts[Int(packed.subject)] -= 1
        count -= 1
        return true
    }

    func find(_ key: policy_key) -> UInt32? {
        var link = heads[Int(bucket(of: key))]
        while link != 0 {
            let entry = entries[Int(link - 1)]
            if entry.key.equals(key) { return link - 1 }
            link = entry.next
        }
        return nil
    }

    private func bucket(of key: policy_key) -> UInt32 { key.tableHash & bucketMask }

    private func takeFreeEntry() -> UInt32 {
        if let index = freeEntries.popLast() { return index }
        defer { firstUnused += 1 }
        return firstUnused
    }
}
