// SPDX-License-Identifier: Apache-2.0
package import CDatapathABI

/// The flow table of `bpf/abi/conntrack.h`, through memory: no system call per flow.
///
/// Programs add flows at any time; only one `ConntrackTable` at a time may take flows out.
package struct ConntrackTable: ~Copyable, Sendable {
    private static let nodeBytes = MemoryLayout<conntrack_node>.stride
    private static let nextOffset = offset(of: \conntrack_node.next)
    private static let inUseOffset = offset(of: \conntrack_node.in_use)
    private static let entryOffset = offset(of: \conntrack_node.entry)
    private static let freeOffset = offset(of: \conntrack_table.free_nodes)
    private static let referenceMask = UInt32(CONNTRACK_REFERENCE_MASK)
    private static let freshOffset = offset(of: \conntrack_table.fresh)

    private let table: MappedArray
    private let heads: MappedArray
    private let nodes: MappedArray

    /// Opens the three arrays, and sets up what nobody has set up yet.
    ///
    /// Throws if one of them cannot be mapped into memory.
    package init(
        table: borrowing FileDescriptor, heads: borrowing FileDescriptor, nodes: borrowing FileDescriptor
    ) throws(BPFError) {
        // Made one after the other and stored together: a struct that owns may not be half made when one fails.
        let tableArray = try MappedArray(table, name: "conntrack_table_map")
        let headArray = try MappedArray(heads, name: "conntrack_heads_map")
        let nodeArray = try MappedArray(nodes, name: "conntrack_map")
        self.table = tableArray
        self.heads = headArray
        self.nodes = nodeArray
        if self.table.value(at: 0, as: conntrack_table.self).secret.0 == 0 { clear() }
    }

    /// Elements of `conntrack_heads_map` that a table for so many flows needs: a bucket for each flow, or more.
    package static func headElements(forFlows count: Int) -> Int {
        let buckets = max(count, Int(CONNTRACK_HEADS))
        let rounded = buckets & (buckets - 1) == 0 ? buckets : 1 << (Int.bitWidth - buckets.leadingZeroBitCount)
        return rounded / Int(CONNTRACK_HEADS)
    }

    /// Forgets every flow and hashes by new secrets; only while no program uses the table.
    ///
    /// `bucketCountMax`: a power of two, for tests of long chains.
    package func clear(bucketCountMax: Int = .max) {
        for offset in stride(from: 0, to: heads.byteCount, by: MemoryLayout<UInt64>.stride) {
            heads.write(UInt64(0), at: offset)
        }
        for number in 0..<takenCount { nodes.write(UInt32(0), at: number * Self.nodeBytes + Self.inUseOffset) }
        let buckets = min(heads.byteCount / MemoryLayout<UInt32>.stride, bucketCountMax)
        var fresh = conntrack_table()
        fresh.bucket_mask = UInt32(1 << (Int.bitWidth - 1 - buckets.leadingZeroBitCount)) - 1
        fresh.secret = (Self.secret, Self.secret, Self.secret, Self.secret, Self.secret, Self.secret)
        table.write(fresh, at: 0)
    }

    /// Calls `body` with each flow: a copy, read while programs may be writing it.
    package func forEach(_ body: (conntrack_key, conntrack_entry) -> Void) {
        for bucket in buckets {
            var reference = firstReference(of: bucket)
            while let offset = nodeOffset(reference) {
                let node = nodes.value(at: offset, as: conntrack_node.self)
                if node.entry.state != UInt8(CONNTRACK_UNBORN) { body(node.key, node.entry) }
                reference = node.next
            }
        }
    }

    /// How many flows there are, without walking the chains: a node that a program is just about to link counts too.
    package var count: Int {
        var count = 0
        for number in 0..<takenCount
        where nodes.loadAcquiring(at: number * Self.nodeBytes + Self.inUseOffset) != 0 { count += 1 }
        return count
    }

    /// Lets `change` rewrite each flow's entry; only while no program uses the table.
    package func updateEach(_ change: (inout conntrack_entry) -> Void) {
        for number in 0..<takenCount {
            let offset = number * Self.nodeBytes
            guard nodes.value(at: offset + Self.inUseOffset, as: UInt32.self) != 0 else { continue }
            var entry = nodes.value(at: offset + Self.entryOffset, as: conntrack_entry.self)
            change(&entry)
            nodes.write(entry, at: offset + Self.entryOffset)
        }
    }

    /// Removes the flows that `isCondemned` picks, and makes room of them; returns how many.
    ///
    /// For tests: `breakingOff` as if the process were killed before it made room; `whileNothingRuns` where no program can
    /// stand on a node, so that nobody need wait for it.
    @discardableResult
    package func remove(
        breakingOff: Bool = false, whileNothingRuns: Bool = false,
        where isCondemned: (conntrack_key, conntrack_entry) -> Bool
    ) -> Int {
        let removed = unlink(from: buckets) { _, key, entry in isCondemned(key, entry) }
        if breakingOff { return 0 }
        if whileNothingRuns { release(removed) } else { free(removed) }
        return removed.count
    }

    /// Every bucket.
    package var buckets: Range<Int> {
        0..<min(Int(table.value(at: 0, as: UInt32.self)) + 1, heads.byteCount / MemoryLayout<UInt32>.stride)
    }

    /// Takes the flows that `isCondemned` picks out of their chains and returns what is to be given to `free`.
    package func unlink(
        from buckets: some Sequence<Int>, where isCondemned: (Int, conntrack_key, conntrack_entry) -> Bool
    ) -> [UInt32] {
        var removed: [UInt32] = []
        for bucket in buckets { unlink(from: bucket, where: isCondemned, into: &removed) }
        return removed
    }

    /// Waits until no program can stand on these nodes and walk on from them, and makes room of them.
    package func free(_ removed: [UInt32]) {
        guard !removed.isEmpty else { return }
        RunningPrograms.wait()
        release(removed)
    }

    /// Frees the nodes that are in use but in no chain: an earlier agent was killed while it removed them.
    ///
    /// What a program has just taken looks the same, but not a moment later. Returns how many were freed.
    @discardableResult
    package func reclaimLost() -> Int {
        let suspects = unlinked()
        guard !suspects.isEmpty else { return 0 }
        RunningPrograms.wait()
        let lost = suspects.intersection(unlinked())
        release(Array(lost))
        return lost.count
    }

    // MARK: - Chains

    /// Nodes that have ever been used.
    private var takenCount: Int {
        min(Int(table.loadAcquiring(at: Self.freshOffset)), nodes.byteCount / Self.nodeBytes)
    }

    private func firstReference(of bucket: Int) -> UInt32 { heads.loadAcquiring(at: bucket * 4) & Self.referenceMask }

    /// Where the node is; nil for the end of a chain.
    private func nodeOffset(_ reference: UInt32) -> Int? {
        guard reference != 0, Int(reference) <= nodes.byteCount / Self.nodeBytes else { return nil }
        return (Int(reference) - 1) * Self.nodeBytes
    }

    private func unlink(
        from bucket: Int, where isCondemned: (Int, conntrack_key, conntrack_entry) -> Bool,
        into removed: inout [UInt32]
    ) {
        var previous: Int?
        var reference = firstReference(of: bucket)
        while let offset = nodeOffset(reference) {
            let node = nodes.value(at: offset, as: conntrack_node.self)
            if node.entry.state != UInt8(CONNTRACK_UNBORN), isCondemned(bucket, node.key, node.entry) {
                bypass(reference, next: node.next, after: &previous, in: bucket)
                removed.append(reference)
            } else {
                previous = offset
            }
            reference = node.next
        }
    }

    /// Takes one node out of its chain.
    ///
    /// Programs change nothing but a chain's head, so only its first node can get a predecessor meanwhile.
    private func bypass(_ reference: UInt32, next: UInt32, after previous: inout Int?, in bucket: Int) {
        while previous == nil {
            let head = heads.loadAcquiring(at: bucket * 4)
            var at = head & Self.referenceMask
            // A chain that goes on keeps its marks: whose they are is not known here.
            let wanted = next == 0 ? 0 : head & ~Self.referenceMask | next
            if at == reference, heads.exchange(head, for: wanted, at: bucket * 4) { break }
            while let offset = nodeOffset(at), at != reference {
                previous = offset
                at = nodes.loadAcquiring(at: offset + Self.nextOffset)
            }
        }
        if let previous { nodes.storeReleasing(next, at: previous + Self.nextOffset) }
    }

    private func unlinked() -> Set<UInt32> {
        let count = takenCount
        var isLinked = [Bool](repeating: false, count: nodes.byteCount / Self.nodeBytes)
        for bucket in buckets {
            var reference = firstReference(of: bucket)
            while let offset = nodeOffset(reference) {
                isLinked[Int(reference) - 1] = true
                reference = nodes.loadAcquiring(at: offset + Self.nextOffset)
            }
        }
        var found: Set<UInt32> = []
        for number in 0..<count where !isLinked[number] {
            if nodes.loadAcquiring(at: number * Self.nodeBytes + Self.inUseOffset) != 0 {
                found.insert(UInt32(number + 1))
            }
        }
        return found
    }

    // MARK: - Free nodes

    /// Puts nodes that nobody can be looking at on the list of free ones, all of them at once.
    private func release(_ references: [UInt32]) {
        guard let first = references.first, let last = references.last, let end = nodeOffset(last) else { return }
        for (reference, next) in zip(references, references.dropFirst()) {
            guard let offset = nodeOffset(reference) else { continue }
            nodes.storeReleasing(next, at: offset + Self.nextOffset)
        }
        for reference in references {
            guard let offset = nodeOffset(reference) else { continue }
            nodes.storeReleasing(0, at: offset + Self.inUseOffset)
        }
        while true {
            let top = table.value(at: Self.freeOffset, as: UInt64.self)
            nodes.storeReleasing(UInt32(truncatingIfNeeded: top), at: end + Self.nextOffset)
            let wanted = ((top >> 32) &+ 1) << 32 | UInt64(first)
            if table.exchange(top, for: wanted, at: Self.freeOffset) { return }
        }
    }

    private static var secret: UInt32 { UInt32.random(in: 1...UInt32.max) }

    private static func offset<Root, Value>(of field: KeyPath<Root, Value>) -> Int {
        guard let offset = MemoryLayout<Root>.offset(of: field) else { preconditionFailure("not a stored field") }
        return offset
    }
}
