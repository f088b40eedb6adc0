// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// The order of the rules of a tier as numbers of 24 bits: of two that match, the one of lower rank wins.
///
/// Rules judged together share one rank. Every priority has a band of ranks, in which its policies follow each other by
/// name (Calico's: by order, then by name) and take one rank for each rule: a pure function of the policies, so that an update in steps and a compilation
/// from nothing agree. Two policies seldom have the same priority; only those that do are moved by each other.
struct TierRanks {
    private struct Band: Hashable {
        let tier: PolicyTier
        let index: Int
        var width = TierRanks.bandWidth
    }

    private struct Member {
        let reference: PolicyReference
        let order: Double
        let ruleCount: Int

        init(_ policy: Policy) {
            reference = policy.reference
            ruleCount = policy.rules.count
            if case .ordered(let order?) = policy.order { self.order = order } else { order = .infinity }
        }

        static func precedes(_ a: Member, _ b: Member) -> Bool {
            if a.order != b.order { return a.order < b.order }
            return a.reference.name == b.reference.name
                ? a.reference < b.reference : a.reference.name < b.reference.name
        }
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
            bands[band, default: []].append(Member(policy))
        }
        for band in Array(bands.keys) {
            bands[band]?.sort(by: Member.precedes)
            _ = settle(band)
        }
    }

    /// Puts a policy in its place, or in another one than `old` had; returns the others whose rules have other ranks now.
    mutating func replace(_ old: Policy?, by new: Policy?) -> [PolicyReference] {
        let (left, entered) = (old.flatMap(TierRanks.band), new.flatMap(TierRanks.band))
        if left == entered, old?.rules.count == new?.rules.count, old?.order == new?.order { return [] }
        if let old, let left {
            bands[left]?.removeAll { $0.reference == old.reference }
            offsets[old.reference] = nil
            if bands[left]?.isEmpty ?? false { bands[left] = nil }
        }
        if let new, let entered {
            let member = Member(new)
            let index = bands[entered]?.firstIndex { Member.precedes(member, $0) }
            bands[entered, default: []].insert(member, at: index ?? bands[entered]?.count ?? 0)
        }
        let moved = Set([left, entered].compactMap { $0 }).flatMap { settle($0) }
        return moved.filter { $0 != new?.reference }.sorted()
    }

    /// The rank of a rule by its position in a policy that has its place.
    func rank(of position: Int, in policy: Policy) -> UInt32 {
        guard let band = TierRanks.band(of: policy) else { return TierRanks.together }
        let offset = min((offsets[policy.reference] ?? 0) + position, band.width - 1)
        return UInt32(band.index * TierRanks.bandWidth + offset)
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
        switch policy.order {
        case .together: return nil
        case .priority(let priority):
            return Band(tier: policy.tier, index: Int(min(priority, PolicyOrder.lastPriority)))
        case .ordered(let order):
            guard let order, order.isFinite else {
                return Band(tier: policy.tier, index: unorderedBand, width: bandWidth * unorderedBandCount)
            }
            return Band(tier: policy.tier, index: orderedBand(order))
        }
    }

    /// Orders up to 1000 come before the band of the rules judged together, greater ones behind it.
    ///
    /// Any map that keeps the order would do: this one gives the orders that people write bands of their own.
    private static func orderedBand(_ order: Double) -> Int {
        let middle = Int(together) / bandWidth
        if order < 0 { return 0 }
        if order <= 1000 { return 1 + Int(order * Double(middle - 2) / 1000) }
        return middle + 1 + Int(min((order - 1000) / 40, Double(unorderedBand - middle - 2)))
    }

    /// Policies without an order are many: theirs is as wide as all bands behind it.
    private static let unorderedBand = 750
    private static let unorderedBandCount = 250
}
