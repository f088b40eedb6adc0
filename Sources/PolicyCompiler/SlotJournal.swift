// SPDX-License-Identifier: Apache-2.0

/// What one slot's entries were at the last `takeChanges`, for those touched since.
struct SlotJournal {
    /// Nothing was there: all that is there now is new, and nothing need be noted.
    private let wasEmpty: Bool
    private var former: [CellKey: PolicyValue?] = [:]
    /// All that was there when the slot was cleared as a whole.
    private var cleared: SubjectCells?

    init(of cells: SubjectCells?) { wasEmpty = cells?.first.isEmpty ?? true }

    /// Call it before an entry is touched.
    mutating func note(_ key: CellKey, in cells: SubjectCells, precedes: (UInt32, UInt32) -> Bool) {
        guard !wasEmpty, cleared == nil, former[key] == nil else { return }
        former[key] = .some(cells.value(of: key, precedes: precedes))
    }

    /// Call it before all entries go; `willReturn`: others are put in their place, and mostly the same ones.
    mutating func noteAll(of cells: SubjectCells, willReturn: Bool, precedes: (UInt32, UInt32) -> Bool) {
        guard !wasEmpty, cleared == nil else { return }
        if willReturn {
            for key in cells.first.keys { note(key, in: cells, precedes: precedes) }
        } else {
            cleared = cells
        }
    }

    /// Adds what became of the slot's entries.
    func append(
        to changes: inout MapChanges, slot: UInt16, now cells: SubjectCells?, precedes: (UInt32, UInt32) -> Bool
    ) {
        func value(_ key: CellKey) -> PolicyValue? { cells?.value(of: key, precedes: precedes) }
        func set(_ key: CellKey, _ value: PolicyValue) {
            changes.policySettings.append(.init(key: key.key(in: slot), value: value))
        }
        for (key, old) in former {
            let new = value(key)
            if new == old { continue }
            // What was cleared and is there again is written below.
            if let new, cleared == nil { set(key, new) }
            if new == nil { changes.policyRemovals.append(key.key(in: slot)) }
        }
        if let cleared {
            for key in cleared.first.keys where former[key] == nil && cells?.first[key] == nil {
                changes.policyRemovals.append(key.key(in: slot))
            }
        }
        guard let cells, wasEmpty || cleared != nil else { return }
        changes.policySettings.reserveCapacity(changes.policySettings.count + cells.first.count)
        for (key, first) in cells.first { set(key, cells.value(of: key, first, precedes: precedes)) }
    }
}
