// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import IdentityModel
package import NetworkModel
package import PolicyCompiler

/// What one bank of the banked kernel tables must hold, as bytes in user space.
///
/// A transaction is applied here first, whole or not at all. Then the same dirty ranges are copied to the inactive bank,
/// the banks are switched, and the ranges are copied to the other bank. Not thread-safe: one owner.
package final class ShadowTables {
    /// Sizes of the kernel tables, per bank.
    package struct Capacity: Hashable, Sendable {
        /// A power of two; `policy_bucket_mask` + 1.
        ///
        /// About as many as entries keeps chains near 1.
        package var policyBuckets: Int
        package var policyEntries: Int
        /// Chunks of 1 MiB, at least 2; the first holds the root tables.
        package var ipcacheChunks: Int

        package init(policyBuckets: Int = 131_072, policyEntries: Int = 131_072, ipcacheChunks: Int = 16) {
            self.policyBuckets = policyBuckets
            self.policyEntries = policyEntries
            self.ipcacheChunks = ipcacheChunks
        }
    }

    package let capacity: Capacity
    package private(set) var policy: PolicyTable
    package private(set) var ipcache: IPCacheTrie
    package let subjects = SubjectTable()
    /// The epoch given out last.
    ///
    /// Every subject that a transaction touches takes the next one: none repeats while this object lives, and no two
    /// subjects share one, so that flows of an endpoint that moves to another subject are judged again.
    package private(set) var epoch: UInt32

    /// Empty tables.
    ///
    /// `lastEpoch`: the highest epoch that any flow in the kernel may carry (after a restart: read from the subject
    /// table found there).
    package init(capacity: Capacity = Capacity(), lastEpoch: UInt32 = 0) {
        self.capacity = capacity
        epoch = lastEpoch
        policy = PolicyTable(buckets: capacity.policyBuckets, capacity: capacity.policyEntries)
        ipcache = IPCacheTrie(chunks: capacity.ipcacheChunks)
    }

    /// Carries out changes, all or none: throws before anything is changed if the result would not fit.
    package func apply(_ changes: MapChanges) throws(TableError) {
        try subjects.check(changes.subjectSettings.keys)
        try subjects.check(changes.subjectRemovals)
        try policy.check(removing: changes.policyRemovals, setting: changes.policySettings)
        let mappingChanges = changes.mappingRemovals.count + changes.mappingSettings.count
        if ipcache.hasRoom(forChanges: mappingChanges) {
            for prefix in changes.mappingRemovals { ipcache.remove(prefix) }
            for setting in changes.mappingSettings { ipcache.set(setting.prefix, to: setting.identity) }
        } else {
            // Much at once, or little space left in one piece: lay the trie out anew, which also closes its gaps.
            let fresh = try ipcache.rebuilt(
                removing: changes.mappingRemovals, setting: changes.mappingSettings.map { ($0.prefix, $0.identity) })
            fresh.units.markDirty(0..<Int(IPCACHE_FIRST_FREE))
            ipcache = fresh
        }
        policy.remove(changes.policyRemovals)
        policy.set(changes.policySettings)
        applySubjects(changes, ipcacheChanged: mappingChanges > 0)
    }

    /// Throws everything away and writes a complete state; all or nothing.
    package func rebuild(_ state: MapState) throws(TableError) {
        try subjects.check(state.subjects.keys)
        let newPolicy = PolicyTable(buckets: capacity.policyBuckets, capacity: capacity.policyEntries)
        try newPolicy.check(removing: [], setting: state.policy.map { .init(key: $0.key, value: $0.value) })
        let newTrie = IPCacheTrie(chunks: capacity.ipcacheChunks)
        try newTrie.load(state.ipcache)
        for (key, value) in state.policy { newPolicy.set(key, to: value) }
        // The banks may hold anything (adopted from an earlier agent): what tells used from unused is written whole.
        newPolicy.heads.markDirty(0..<capacity.policyBuckets)
        newTrie.units.markDirty(0..<Int(IPCACHE_FIRST_FREE))
        subjects.entries.markDirty(0..<SubjectTable.slotCount)
        policy = newPolicy
        ipcache = newTrie
        for slot in subjects.slots where state.subjects[slot] == nil { subjects.remove(slot, epoch: nextEpoch()) }
        for (slot, subjectState) in state.subjects { subjects.set(slot, to: subjectState, epoch: nextEpoch()) }
    }

    /// Gives every subject in use a new epoch: all cached verdicts are decided again.
    package func touchSubjects() {
        for slot in subjects.slots { subjects.touch(slot, epoch: nextEpoch()) }
    }

    private func nextEpoch() -> UInt32 {
        epoch &+= 1
        return epoch
    }

    /// What the image says about a packet of a subject towards or from an address.
    ///
    /// `names`: numbers of the DNS names that the subject knows the address by; they count where it is nobody's in
    /// particular.
    package func decide(
        subject: UInt16, peer address: IPAddress, direction: Direction, proto: IPProtocol, port: UInt16?,
        names: [NumericIdentity] = []
    ) -> TableDecision? {
        guard let state = subjects.state(of: subject) else { return nil }
        let peer = ipcache.find(address) ?? .world
        let isOutside = peer == .world || NumericIdentity.prefixRange.contains(peer.rawValue)
        var enforced = TierWalk()
        var all = TierWalk()
        for slot in SubjectStage.slots(chain: state.chain, of: subject) {
            guard let tier = subjects.state(of: slot) else { return nil }
            let best = policy.strongest(
                tier, slot: slot, peer: peer, direction: direction, proto: proto, port: port,
                names: isOutside ? names : [])
            let side = Int(direction.rawValue)
            enforced.ask(slot, best.enforced, isClosed: tier.defaultDeny[side], closedBy: tier.defaultDenyRule[side])
            all.ask(slot, best.all, isClosed: tier.defaultDenyAll[side], closedBy: tier.defaultDenyRule[side])
        }
        let isSettled = enforced.slot != nil
        if enforced.isDenied { return TableDecision(.deny, enforced, isSettled: isSettled) }
        return all.isDenied
            ? TableDecision(.audit, all, isSettled: isSettled) : TableDecision(.allow, enforced, isSettled: isSettled)
    }

    private func applySubjects(_ changes: MapChanges, ipcacheChanged: Bool) {
        for slot in changes.subjectRemovals { subjects.remove(slot, epoch: nextEpoch()) }
        for (slot, state) in changes.subjectSettings { subjects.set(slot, to: state, epoch: nextEpoch()) }
        if ipcacheChanged {
            touchSubjects()
            return
        }
        // Flows remember the epoch of their subject: a change of one of its tiers is a change of it.
        var touched: Set<UInt16> = []
        // Those of one slot come one after the other.
        var last: UInt16?
        func touch(_ slot: UInt16) {
            guard slot != last else { return }
            last = slot
            touched.insert(SubjectStage.subject(of: slot))
        }
        for key in changes.policyRemovals { touch(key.subject) }
        for setting in changes.policySettings { touch(setting.key.subject) }
        for slot in changes.subjectRemovals + changes.subjectSettings.keys {
            let subject = SubjectStage.subject(of: slot)
            if slot != subject { touched.insert(subject) }
        }
        for slot in touched { subjects.touch(slot, epoch: nextEpoch()) }
    }
}

/// One range to copy: from the image to the same place in a bank.
package struct TableWrite: Hashable, Sendable {
    package var table: KernelTable
    package var range: DirtyRange
}

extension ShadowTables {
    /// What was changed since the last call.
    ///
    /// Copy it to the inactive bank, switch, copy it to the other bank.
    package func takeWrites() -> [TableWrite] {
        policy.entries.takeDirty().map { TableWrite(table: .policyEntries, range: $0) }
            + policy.heads.takeDirty().map { TableWrite(table: .policyHeads, range: $0) }
            + ipcache.units.takeDirty().map { TableWrite(table: .ipcache, range: $0) }
            + subjects.entries.takeDirty().map { TableWrite(table: .subjects, range: $0) }
    }

    /// Hands out the image's bytes of a write.
    package func withBytes(of write: TableWrite, _ body: (UnsafeRawBufferPointer) -> Void) {
        switch write.table {
        case .policyHeads: unsafe policy.heads.withBytes(write.range, body)
        case .policyEntries: unsafe policy.entries.withBytes(write.range, body)
        case .ipcache: unsafe ipcache.units.withBytes(write.range, body)
        case .subjects: unsafe subjects.entries.withBytes(write.range, body)
        }
    }

    /// Bytes of a chunk of a kernel table, as `TableWrite` ranges count them.
    package static func chunkBytes(of table: KernelTable) -> Int {
        switch table {
        case .policyHeads, .policyEntries: return Int(POLICY_CHUNK_BYTES)
        case .ipcache: return Int(IPCACHE_CHUNK_BYTES)
        case .subjects: return SubjectTable.slotCount * MemoryLayout<subject_entry>.stride
        }
    }
}
