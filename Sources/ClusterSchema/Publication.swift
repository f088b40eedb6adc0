// SPDX-License-Identifier: Apache-2.0

package import ClusterModel

/// What a node wants to have in the store of its workloads, and what is there: pure.
///
/// It is true to what the store says: a key that somebody deleted or overwrote, or that is under another lease, is written again.
package struct Publication: Sendable {
    /// What one transaction writes.
    package struct Batch: Hashable, Sendable {
        package var puts: [String: [UInt8]] = [:]
        package var deletes: Set<String> = []

        package init(puts: [String: [UInt8]] = [:], deletes: Set<String> = []) {
            self.puts = puts
            self.deletes = deletes
        }

        package var isEmpty: Bool { puts.isEmpty && deletes.isEmpty }
        package var count: Int { puts.count + deletes.count }
    }

    /// A transaction of etcd holds 128 operations and 1.5 MiB unless its members say otherwise.
    package static let operationsMax = 100
    package static let batchBytesMax = 512 << 10

    private struct Known: Sendable {
        /// Nil: it was deleted.
        var value: [UInt8]?
        var revision: Int64
        var lease: Int64
    }

    private let layout: StoreLayout
    private let node: String
    /// Of the keys of this node's workloads.
    private let root: String
    /// By key of the store; nil: not told yet, so that what is there stays.
    private var desired: [String: [UInt8]]?
    private var known: [String: Known] = [:]
    /// Keys that may differ.
    private var open: Set<String> = []
    /// What cannot be published, by the workload's name.
    package private(set) var problems: [String: String] = [:]

    package init(layout: StoreLayout, node: String) {
        self.layout = layout
        self.node = node
        root = layout.workloads(of: node)
    }

    /// True once the node said what its workloads are.
    package var isTold: Bool { desired != nil }

    /// What the store is to hold from now on, by `<namespace>/<name>`.
    package mutating func tell(_ workloads: [String: ClusterWorkload]) {
        let old = desired ?? [:]
        var new: [String: [UInt8]] = [:]
        problems = [:]
        for (name, workload) in workloads {
            let value = StoredWorkload(workload).bytes
            guard let key = layout.text(.workload(node: node, name: name)) else {
                problems["workload \(name)"] =
                    "its name is not `<namespace>/<name>`, or too long: other nodes do not know it"
                continue
            }
            guard value.count <= StoredWorkload.bytesMax else {
                problems["workload \(name)"] = "what there is to say of it is too long: other nodes do not know it"
                continue
            }
            new[key] = value
            if old[key] != value { open.insert(key) }
        }
        if desired == nil {
            open.formUnion(known.keys)
        } else {
            for key in old.keys where new[key] == nil { open.insert(key) }
        }
        desired = new
    }

    /// All that the store holds.
    package mutating func replace(with entries: [StoreEntry]) {
        known = [:]
        for entry in entries where isOwn(entry.key) {
            known[entry.key] = Known(value: entry.value, revision: entry.revision, lease: entry.lease)
        }
        reopen()
    }

    /// What changed in the store; events older than what this node wrote itself are of the past.
    package mutating func take(_ events: [StoreEvent]) {
        for event in events where isOwn(event.key) {
            switch event {
            case .put(let entry):
                guard entry.revision > known[entry.key]?.revision ?? 0 else { continue }
                known[entry.key] = Known(value: entry.value, revision: entry.revision, lease: entry.lease)
            case .delete(let key, let revision):
                guard revision > known[key]?.revision ?? 0 else { continue }
                known[key] = Known(value: nil, revision: revision, lease: 0)
            }
            open.insert(event.key)
        }
    }

    /// Looks at every key again: the lease is another one.
    package mutating func reopen() {
        open.formUnion(known.keys)
        if let desired { open.formUnion(desired.keys) }
    }

    /// What is to be written next under a lease; empty: all is as it should be.
    package mutating func next(lease: Int64) -> Batch {
        var batch = Batch()
        guard let desired else { return batch }
        var bytes = 0
        for key in open {
            let there = known[key]
            if let value = desired[key] {
                guard there?.value != value || there?.lease != lease else {
                    open.remove(key)
                    continue
                }
                guard batch.puts.isEmpty || bytes + value.count <= Publication.batchBytesMax else { break }
                batch.puts[key] = value
                bytes += value.count + key.utf8.count
            } else if there?.value != nil {
                batch.deletes.insert(key)
            } else {
                open.remove(key)
                known[key] = nil
            }
            if batch.count == Publication.operationsMax { break }
        }
        return batch
    }

    /// A batch is in the store since a revision.
    package mutating func didWrite(_ batch: Batch, revision: Int64, lease: Int64) {
        for (key, value) in batch.puts { note(key, Known(value: value, revision: revision, lease: lease)) }
        for key in batch.deletes { note(key, Known(value: nil, revision: revision, lease: 0)) }
    }

    private mutating func note(_ key: String, _ written: Known) {
        guard written.revision >= known[key]?.revision ?? 0 else { return }
        known[key] = written
    }

    private func isOwn(_ key: String) -> Bool { key.utf8.starts(with: root.utf8) }
}
