// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// The order of the rules of a tier as numbers of 24 bits: of two that match, the one of lower rank wins.
///
/// Rules judged together share one rank. Every priority has a band of ranks, in which its policies follow each other by
/// name and take one rank for each rule: a pure function of the policies, so that an update in steps and a compilation
/// from nothing agree. Two policies seldom have the same priority; only those that do are moved by each other.
struct TierRanks {
    private struct Band: Hashable {
        let tier: PolicyTier
        let priority: UInt16
    }

    private struct Member {
        let reference: PolicyReference
        let ruleCount: Int
    }

    private var bands: [Band: [Member]] = [:]
    private var offsets: [PolicyReference: Int] = [:]

    /// Ranks of a band: rules beyond share its last one, where deny beats allow.
    static let bandWidth = 16_743
    /// Of rules judged together.
    static let together: UInt32 = 0x80_0000

    init() {}

    init(_ policies: some Sequence<Policy>) {
        for policy in policies {
            guard let band = TierRanks.band(of: policy) else { continue }
            bands[band, default: []].append(Member(reference: policy.reference, ruleCount: policy.rules.count))
        }
        for band in Array(bands.keys) {
            bands[band]?.sort { TierRanks.precedes($0.reference, $1.reference) }
            _ = settle(band)
        }
    }

    /// Puts a policy in its place, or in another one than `old` had; returns the others whose rules have other ranks now.
    mutating func replace(_ old: Policy?, by new: Policy?) -> [PolicyReference] {
        let (left, entered) = (old.flatMap(TierRanks.band), new.flatMap(TierRanks.band))
        if left == entered, old?.rules.count == new?.rules.count { return [] }
        if let old, let left {
            bands[left]?.removeAll { $0.reference == old.reference }
            offsets[old.reference] = nil
            if bands[left]?.isEmpty ?? false { bands[left] = nil }
        }
        if let new, let entered {
            let member = Member(reference: new.reference, ruleCount: new.rules.count)
            let index = bands[entered]?.firstIndex { TierRanks.precedes(new.reference, $0.reference) }
            bands[entered, default: []].insert(member, at: index ?? bands[entered]?.count ?? 0)
        }
        let moved = Set([left, entered].compactMap { $0 }).flatMap { settle($0) }
        return moved.filter { $0 != new?.reference }.sorted()
    }

    /// The rank of a rule by its position in a policy that has its place.
    func rank(of position: Int, in policy: Policy) -> UInt32 {
        guard case .priority(let priority) = policy.order else { return TierRanks.together }
        let offset = min((offsets[policy.reference] ?? 0) + position, TierRanks.bandWidth - 1)
        return UInt32(Int(min(priority, PolicyOrder.lastPriority)) * TierRanks.bandWidth + offset)
    }

    /// Gives a band's policies their places; returns those that had another one.
    private mutating func settle(_ band: Band) -> [PolicyReference] {
        var moved: [PolicyReference] = []
        var next = 0
        for member in bands[band] ?? [] {
            if offsets[member.reference] != next {
                offsets[member.reference] = next
                moved.append(member.reference)
            }
            next += member.ruleCount
        }
        return moved
    }

    private static func band(of policy: Policy) -> Band? {
        guard case .priority(let priority) = policy.order else { return nil }
        return Band(tier: policy.tier, priority: min(priority, PolicyOrder.lastPriority))
    }

    private static func precedes(_ a: PolicyReference, _ b: PolicyReference) -> Bool {
        a.name == b.name ? a < b : a.name < b.name
    }
}
