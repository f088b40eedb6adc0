// SPDX-License-Identifier: Apache-2.0

/// One change of one object.
struct Change: Sendable {
    enum Kind: String, Sendable { case added = "ADDED", modified = "MODIFIED", deleted = "DELETED" }
    var kind: Kind
    var version: Int
    /// The new state; of a deleted object the last one, at the version of the deletion.
    var object: StoredObject
    var previous: StoredObject?
}

/// The changes of one resource that a watch can still be given, oldest first.
struct History: Sendable {
    /// Changes at this version and before are gone.
    private(set) var compactedVersion: Int
    /// Place of the first kept change, counted since the resource exists: cursors stay valid while changes are forgotten.
    private(set) var firstPlace = 0
    private var changes: [Change] = []
    private var forgotten = 0
    private let limit: Int

    init(since version: Int, limit: Int) {
        compactedVersion = version
        self.limit = limit
    }

    var endPlace: Int { firstPlace + changes.count - forgotten }

    mutating func append(_ change: Change) {
        changes.append(change)
        if changes.count - forgotten > limit { forget(through: changes[forgotten].version) }
    }

    /// Forgets changes up to and with a version.
    mutating func forget(through version: Int) {
        compactedVersion = max(compactedVersion, version)
        while forgotten < changes.count, changes[forgotten].version <= version {
            forgotten += 1
            firstPlace += 1
        }
        // Moved only now and then, so that forgetting one change does not cost as much as the others are many.
        if forgotten > 1024, forgotten > changes.count / 2 || forgotten == changes.count {
            changes.removeFirst(forgotten)
            forgotten = 0
        }
    }

    /// The place of the first change after a version.
    func place(after version: Int) -> Int {
        var low = forgotten
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].version <= version { low = middle + 1 } else { high = middle }
        }
        return firstPlace + low - forgotten
    }

    /// At most `count` changes from a place on; nil if that place is gone, or was never reached by this history.
    func changes(from place: Int, count: Int) -> ArraySlice<Change>? {
        guard place >= firstPlace, place <= endPlace else { return nil }
        let start = place - firstPlace + forgotten
        return changes[start..<(start + min(count, changes.count - start))]
    }

    /// What was there at an older version: the present with the later changes taken back.
    func rewind(_ table: ObjectTable, to version: Int) -> ObjectTable {
        var table = table
        for change in changes[forgotten...].reversed() {
            guard change.version > version else { break }
            if let previous = change.previous {
                table.put(previous)
            } else {
                table.remove(namespace: change.object.namespace, name: change.object.name)
            }
        }
        return table
    }
}

extension Change {
    /// Of several changes of one object the net effect, in the order of the last ones.
    static func coalesced(_ changes: ArraySlice<Change>) -> [Change] {
        var first: [String: Change] = [:]
        var last: [String: Change] = [:]
        for change in changes {
            let key = "\(change.object.namespace)/\(change.object.name)"
            if first[key] == nil { first[key] = change }
            last[key] = change
        }
        return last.sorted { $0.value.version < $1.value.version }.map { key, change in
            var change = change
            change.previous = first[key]?.previous
            return change
        }
    }
}
