// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// What becomes of some things that have a key: all others stay as they are.
///
/// What a change costs depends on the number of things it names, not on how many there are.
package struct Delta<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// Those that are added or replaced.
    private(set) var settings: [Key: Value] = [:]
    private(set) var removals: Set<Key> = []

    /// Nothing changes.
    package init() {}

    /// All of these are added or replaced.
    package init(setting values: [Key: Value]) { settings = values }

    /// True if it names nothing.
    package var isEmpty: Bool { settings.isEmpty && removals.isEmpty }

    var keys: [Key] { Array(settings.keys) + removals }

    /// True if it says what becomes of this one.
    func names(_ key: Key) -> Bool { settings[key] != nil || removals.contains(key) }

    /// Leaves one as it is.
    mutating func leaveOut(_ key: Key) {
        settings[key] = nil
        removals.remove(key)
    }

    /// What becomes of one; nil: it is to be gone.
    ///
    /// Read it only for a key that the delta names.
    package subscript(key: Key) -> Value? {
        get { settings[key] }
        set {
            settings[key] = newValue
            if newValue == nil { removals.insert(key) } else { removals.remove(key) }
        }
    }

    /// Adds what becomes of some later.
    mutating func merge(_ later: Delta) {
        for key in later.removals { self[key] = nil }
        for (key, value) in later.settings { self[key] = value }
    }
}

/// What becomes of some policies.
typealias PolicyDelta = Delta<PolicyReference, Policy>

extension PolicyDelta {
    init(setting policies: some Sequence<Policy>) {
        self.init(setting: Dictionary(policies.map { ($0.reference, $0) }) { $1 })
    }

    var references: [PolicyReference] { keys }
}

extension [PolicyReference: Policy] {
    mutating func apply(_ delta: PolicyDelta) {
        for reference in delta.removals { self[reference] = nil }
        for (reference, policy) in delta.settings { self[reference] = policy }
    }
}
