// SPDX-License-Identifier: Apache-2.0

package import CDatapathABI
package import PolicyCompiler

/// The image of one bank of the subject table.
package final class SubjectTable {
    package let entries: TableMemory<subject_entry>
    /// Slots in use, of subjects and of their tiers.
    package private(set) var slots: Set<UInt16> = []

    /// Subjects in use.
    package var subjectCount: Int { slots.count { $0 < UInt16(SUBJECT_COUNT_MAX) } }

    /// Slots of a bank: every subject has one for each tier.
    package static let slotCount = Int(SUBJECT_COUNT_MAX) * Int(SUBJECT_TIER_COUNT)

    package init() {
        entries = TableMemory(zero: subject_entry(), chunkElements: SubjectTable.slotCount, chunkCountMax: 1)
    }

    /// Throws if a slot does not exist.
    package func check(_ slots: some Sequence<UInt16>) throws(TableError) {
        for slot in slots where Int(slot) >= SubjectTable.slotCount {
            throw .noSuchSubject(slot, count: SubjectTable.slotCount)
        }
    }

    /// Writes one subject's state.
    package func set(_ slot: UInt16, to state: SubjectState, epoch: UInt32) {
        slots.insert(slot)
        entries[Int(slot)] = subject_entry(state, epoch: epoch)
    }

    /// Frees a slot.
    ///
    /// It is left closed: an endpoint that still pointed here would be denied everything.
    package func remove(_ slot: UInt16, epoch: UInt32) {
        slots.remove(slot)
        let closed = SubjectState(
            defaultDeny: [true, true], defaultDenyAll: [true, true])
        entries[Int(slot)] = subject_entry(closed, epoch: epoch)
    }

    /// Gives a subject in use a new epoch: its cached verdicts are decided again.
    package func touch(_ slot: UInt16, epoch: UInt32) {
        guard slots.contains(slot) else { return }
        entries[Int(slot)].epoch = epoch
    }

    /// The state stored in a slot; nil if none was ever written (epoch 0).
    package func state(of slot: UInt16) -> SubjectState? {
        let entry = entries[Int(slot)]
        return entry.epoch == 0 ? nil : entry.state
    }
}

extension subject_entry {
    init(_ state: SubjectState, epoch: UInt32) {
        self.init()
        self.epoch = epoch
        default_deny = (state.defaultDeny[0] ? 1 : 0, state.defaultDeny[1] ? 1 : 0)
        default_deny_all = (state.defaultDenyAll[0] ? 1 : 0, state.defaultDenyAll[1] ? 1 : 0)
        probe_mask = (
            (state.probeMask[0][0], state.probeMask[0][1]), (state.probeMask[1][0], state.probeMask[1][1])
        )
        // Rule slots are 16 bits wide (`RULE_SLOT_COUNT`).
        default_deny_rule = (
            UInt16(truncatingIfNeeded: state.defaultDenyRule[0]), UInt16(truncatingIfNeeded: state.defaultDenyRule[1])
        )
        chain = state.chain
    }

    /// The state an entry holds.
    package var state: SubjectState {
        SubjectState(
            defaultDeny: [default_deny.0 != 0, default_deny.1 != 0],
            defaultDenyAll: [default_deny_all.0 != 0, default_deny_all.1 != 0],
            probeMask: [[probe_mask.0.0, probe_mask.0.1], [probe_mask.1.0, probe_mask.1.1]],
            defaultDenyRule: [UInt32(default_deny_rule.0), UInt32(default_deny_rule.1)], chain: chain)
    }
}
