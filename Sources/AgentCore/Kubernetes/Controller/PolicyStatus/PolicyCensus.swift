// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient

/// Which nodes have seen which state of the policies of a kind, by the digests that they tell.
///
/// Every change of a policy makes another version of the kind, whose digest is remembered for a while. A node whose digest is
/// that of a version has seen all changes up to it. So a node costs one number, a change costs the policies that it is
/// about, and how many nodes have seen a policy is a search in a sorted list.
struct PolicyCensus: Sendable {
    private struct Rung: Comparable, Sendable {
        /// Up to which version the node has seen everything.
        var version: Int
        var node: String

        static func < (a: Rung, b: Rung) -> Bool { (a.version, a.node) < (b.version, b.node) }
    }

    /// Digests of so many versions are remembered: who lags behind further is met again at the newest.
    private static let versionsMax = 2048

    private(set) var marks: [ObjectKey: DocumentMark] = [:]
    private var changedAt: [ObjectKey: Int] = [:]
    /// Changes in their order; those of policies that changed again, or are gone, are skipped.
    private var changes: [(version: Int, key: ObjectKey)] = []
    private var version = 0
    private var digest = DocumentDigest()
    private var versions: [DocumentDigest: Int] = [DocumentDigest(): 0]
    private var remembered: [DocumentDigest] = [DocumentDigest()]
    /// Up to which version each node has seen everything; -1: nobody knows.
    private var seen: [String: Int] = [:]
    /// The same, sorted.
    private var ladder: [Rung] = []
    /// Nodes that told of a state which is none of ours yet.
    private var ahead: [DocumentDigest: Set<String>] = [:]
    private var told: [String: DocumentDigest] = [:]
    /// Policies that changed after this version are to be looked at again; nil: none.
    private var touchedAfter: Int?

    /// Takes over all policies there are; `keeping`: those of which nothing new is known.
    mutating func replace(_ all: [ObjectKey: DocumentMark], keeping: Set<ObjectKey>) {
        version += 1
        for key in Set(marks.keys).subtracting(all.keys).subtracting(keeping) { note(key, nil) }
        for (key, mark) in all { note(key, mark) }
        remember()
    }

    /// A policy is another one now; nil: it is gone.
    mutating func set(_ key: ObjectKey, _ mark: DocumentMark?) {
        guard marks[key] != mark else { return }
        version += 1
        note(key, mark)
        remember()
    }

    /// A node told what it has seen; nil: it does not follow this kind.
    mutating func note(node: String, _ digest: DocumentDigest?) {
        if let former = told[node] {
            ahead[former]?.remove(node)
            if ahead[former]?.isEmpty == true { ahead[former] = nil }
        }
        told[node] = digest
        guard let digest else { return place(node, -1) }
        if let version = versions[digest] {
            place(node, version)
        } else {
            ahead[digest, default: []].insert(node)
            if seen[node] == nil { place(node, -1) }
        }
    }

    /// A node is gone.
    mutating func forget(node: String) {
        if let former = told.removeValue(forKey: node) { ahead[former]?.remove(node) }
        guard let version = seen.removeValue(forKey: node) else { return }
        remove(Rung(version: version, node: node))
        touch(after: version)
    }

    /// How many nodes have seen a policy as it is.
    func seenCount(_ key: ObjectKey) -> Int { ladder.count - unseenCount(key) }

    /// How many have not, as far as is known.
    func unseenCount(_ key: ObjectKey) -> Int {
        changedAt[key].map { place(of: Rung(version: $0, node: "")) } ?? ladder.count
    }

    /// Who has not, beginning with those furthest behind.
    func unseen(_ key: ObjectKey) -> some Collection<String> {
        ladder.prefix(unseenCount(key)).lazy.map(\.node)
    }

    func hasSeen(_ node: String, _ key: ObjectKey) -> Bool {
        guard let version = seen[node], let changed = changedAt[key] else { return false }
        return version >= changed
    }

    /// What a node has not seen is to be looked at again.
    mutating func touch(node: String) { touch(after: seen[node] ?? -1) }

    /// The policies of which more, or fewer, nodes may have seen the present state than at the last call.
    mutating func takeTouched() -> [ObjectKey] {
        guard let after = touchedAfter else { return [] }
        touchedAfter = nil
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].version > after { high = middle } else { low = middle + 1 }
        }
        return changes[low...].compactMap { changedAt[$0.key] == $0.version ? $0.key : nil }
    }

    private mutating func note(_ key: ObjectKey, _ mark: DocumentMark?) {
        let former = marks[key]
        guard former != mark else { return }
        if let former { digest.remove(former) }
        if let mark { digest.add(mark) }
        marks[key] = mark
        changedAt[key] = mark == nil ? nil : version
        if mark != nil { changes.append((version, key)) }
        touch(after: version - 1)
        if changes.count > 64, changes.count > 2 * marks.count {
            changes.removeAll { changedAt[$0.key] != $0.version }
        }
    }

    private mutating func remember() {
        if versions.updateValue(version, forKey: digest) == nil { remembered.append(digest) }
        if remembered.count > 2 * Self.versionsMax {
            for old in remembered.prefix(Self.versionsMax) where old != digest { versions[old] = nil }
            remembered = remembered.filter { versions[$0] != nil }
        }
        for node in ahead.removeValue(forKey: digest) ?? [] { place(node, version) }
    }

    /// A node has seen everything up to a version.
    private mutating func place(_ node: String, _ version: Int) {
        let former = seen[node]
        guard former != version else { return }
        if let former { remove(Rung(version: former, node: node)) }
        seen[node] = version
        let rung = Rung(version: version, node: node)
        ladder.insert(rung, at: place(of: rung))
        touch(after: former.map { min($0, version) } ?? version)
    }

    private mutating func remove(_ rung: Rung) {
        let index = place(of: rung)
        if index < ladder.count, ladder[index] == rung { ladder.remove(at: index) }
    }

    /// Before which rungs are less than this one.
    private func place(of rung: Rung) -> Int {
        var low = 0
        var high = ladder.count
        while low < high {
            let middle = (low + high) / 2
            if ladder[middle] < rung { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func touch(after version: Int) { touchedAfter = min(touchedAfter ?? version, version) }
}
