// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Which tiers the policies of a compiler are in, and the line that follows from them.
struct TierRegister {
    private var userCounts: [PolicyTier: Int] = [:]
    private var definitions: [String: TierDefinition] = [:]
    private(set) var line = TierLine()

    /// Puts a policy in the place of another; returns the tiers that have another stage now or end otherwise, nil if the
    /// line stays as it is.
    mutating func replace(_ old: Policy?, by new: Policy?) -> Set<PolicyTier>? {
        let tiers = [old, new].map { $0.flatMap { $0.isPartOfTier ? $0.tier : nil } }
        guard tiers[0] != tiers[1] || old?.definedTier != new?.definedTier else { return nil }
        if let left = tiers[0] { count(left, -1) }
        if let entered = tiers[1] { count(entered, 1) }
        if let gone = old?.definedTier { definitions[gone.name] = nil }
        if let come = new?.definedTier { definitions[come.name] = come }
        return settle()
    }

    private mutating func count(_ tier: PolicyTier, _ change: Int) {
        let count = userCounts[tier, default: 0] + change
        userCounts[tier] = count > 0 ? count : nil
    }

    private mutating func settle() -> Set<PolicyTier>? {
        let next = TierLine(userCounts.keys, definitions: definitions)
        guard next != line else { return nil }
        let all = Set((line.places + next.places).map(\.tier))
        let moved = all.filter { tier in
            let (before, after) = (line.place(of: tier), next.place(of: tier))
            return before?.stage != after?.stage || before?.closes != after?.closes
        }
        line = next
        return moved
    }
}
