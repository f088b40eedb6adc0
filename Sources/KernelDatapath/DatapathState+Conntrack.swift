// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI

/// What a sweep needs to know to condemn a flow.
struct SweepCriteria: Sendable {
    /// In jiffies.
    let now: UInt32
    let timeouts: [UInt32]
    /// Numbers of attached endpoints, and 0 for what passes through the host.
    let numbers: Set<UInt16>

    func isOrphaned(_ key: conntrack_key) -> Bool { !numbers.contains(key.endpoint) }

    func isExpired(_ entry: conntrack_entry) -> Bool {
        // Signed: an entry may be younger than `now`.
        let idle = Int64(Int32(bitPattern: now &- entry.last_seen))
        return Int(entry.state) >= timeouts.count || idle > Int64(timeouts[Int(entry.state)])
    }
}

/// The flow table, of which nothing is mapped for longer than it is needed: its pages count as resident memory.
struct ConntrackFile: ~Copyable, Sendable {
    private let table: FileDescriptor
    private let heads: FileDescriptor
    private let nodes: FileDescriptor

    init(_ pins: borrowing PinnedObjects) throws(BPFError) {
        let table = try pins.mapDescriptor(MapName.conntrackTable)
        let heads = try pins.mapDescriptor(MapName.conntrackHeads)
        let nodes = try pins.mapDescriptor(MapName.conntrack)
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.table = table
        self.heads = heads
        self.nodes = nodes
    }

    func map() throws(BPFError) -> ConntrackTable { try ConntrackTable(table: table, heads: heads, nodes: nodes) }
}

extension DatapathState {
    private var numbers: Set<UInt16> { serviceNumbers.union(attached.values.map(\.number)) }

    func sweepCriteria() throws(BPFError) -> SweepCriteria {
        SweepCriteria(now: try clock.now(), timeouts: tables.timeoutTicks, numbers: numbers.union([0]))
    }

    /// Tells the programs, which only count up, how many flows each endpoint holds.
    ///
    /// What they added while we looked is missing until the next sweep.
    func writeHeldFlows(held: [UInt16: Int], kept: [UInt16: Int]) throws(BPFError) {
        for number in numbers.union(held.keys) {
            try objects.endpointFlows.update(UInt32(number), to: UInt32(clamping: kept[number] ?? 0))
        }
    }
}
