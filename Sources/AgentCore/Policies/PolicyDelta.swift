// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// What becomes of some policies: all others stay as they are.
///
/// What a change costs depends on the number of policies it names, not on how many there are.
struct PolicyDelta: Sendable {
    /// Policies that are added or replaced.
    private(set) var settings: [PolicyReference: Policy] = [:]
    private(set) var removals: Set<PolicyReference> = []

    init() {}

    init(setting policies: some Sequence<Policy>) {
        for policy in policies { self[policy.reference] = policy }
    }

    var isEmpty: Bool { settings.isEmpty && removals.isEmpty }

    var references: [PolicyReference] { Array(settings.keys) + removals }

    /// What a policy becomes; nil: there is to be none.
    ///
    /// Read it only for a reference that the delta names.
    subscript(reference: PolicyReference) -> Policy? {
        get { settings[reference] }
        set {
            settings[reference] = newValue
            if newValue == nil { removals.insert(reference) } else { removals.remove(reference) }
        }
    }
}

extension [PolicyReference: Policy] {
    mutating func apply(_ delta: PolicyDelta) {
        for reference in delta.removals { self[reference] = nil }
        for (reference, policy) in delta.settings { self[reference] = policy }
    }
}
