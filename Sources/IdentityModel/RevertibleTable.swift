// SPDX-License-Identifier: Apache-2.0

/// What happens to tables that a change is tried on.
package enum TableRevision: Sendable {
    /// A change begins: what it replaces is noted.
    case begin
    /// The change stands.
    case keep
    /// Everything is as it was at the beginning.
    case revert
}

/// A dictionary whose changes can be taken back at the cost of what they changed, not of a copy of it all.
package struct RevertibleTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    package private(set) var values: [Key: Value] = [:]
    /// What was replaced since `begin`, oldest first; nil: nothing had begun.
    private var former: [(key: Key, value: Value?)]?
    /// There was nothing at the beginning: there is nothing to be noted.
    private var wasEmpty = false

    package init() {}

    package subscript(key: Key) -> Value? {
        get { values[key] }
        set {
            if former != nil, !wasEmpty { former?.append((key, values[key])) }
            values[key] = newValue
            if newValue == nil { giveBack() }
        }
    }

    /// Keeps no room for what is gone: after a restart that is every number there was, until its owner is back.
    private mutating func giveBack() {
        guard values.capacity > 4096, values.count < values.capacity / 8 else { return }
        var small = [Key: Value](minimumCapacity: 2 * values.count)
        for (key, value) in values { small[key] = value }
        values = small
    }

    /// Puts many in at once, unnoted: for what is restored.
    package init(restoring values: [Key: Value]) { self.values = values }

    package mutating func revise(_ revision: TableRevision) {
        switch revision {
        case .begin:
            former = []
            wasEmpty = values.isEmpty
        case .keep: former = nil
        case .revert:
            if wasEmpty { values = [:] }
            for (key, value) in (former ?? []).reversed() { values[key] = value }
            former = nil
        }
    }
}
