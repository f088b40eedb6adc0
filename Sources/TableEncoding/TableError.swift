// SPDX-License-Identifier: Apache-2.0

/// The tables that have two banks and are written through `ShadowTables`.
package enum KernelTable: String, Hashable, Sendable, CaseIterable {
    case policyHeads = "policy_heads_map"
    case policyEntries = "policy_entries_map"
    case ipcache = "ipcache_map"
    case subjects = "subject_map"
}

/// Why a transaction was refused.
///
/// Nothing has been changed.
package enum TableError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Entries (ipcache: bytes) that the new state needs, and what the table holds.
    case full(KernelTable, needed: Int, capacity: Int)
    /// A chain of the policy hash would grow beyond what a lookup walks.
    case chainTooLong(length: Int, max: Int, buckets: Int)
    /// A subject slot that the table does not have.
    case noSuchSubject(UInt16, count: Int)

    package var description: String {
        switch self {
        case .full(let table, let needed, let capacity):
            let unit = table == .ipcache ? "bytes" : "entries"
            return "table \(table.rawValue) full: the new state needs \(needed) \(unit), "
                + "there is room for \(capacity); the old state stays in force; use fewer or broader rules, or raise the table's size"
        case .chainTooLong(let length, let max, let buckets):
            return "table \(KernelTable.policyHeads.rawValue) unbalanced: a chain of \(length) entries "
                + "(at most \(max)) with \(buckets) buckets; the old state stays in force; raise the number of buckets"
        case .noSuchSubject(let slot, let count):
            return "table \(KernelTable.subjects.rawValue) has no slot \(slot): at most \(count) distinct label sets "
                + "of local endpoints; the old state stays in force; leave volatile labels out of identities"
        }
    }
}
