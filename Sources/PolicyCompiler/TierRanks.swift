// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// The order of the rules of a tier as numbers of 24 bits: of two that match, the one of lower rank wins.
///
/// Rules judged together share one rank. Every priority has a band of ranks, in which its policies follow each other by
/// name; Calico's have one band before the rules judged together and one behind, in which they follow each other by order,
/// then by name. A policy takes one rank for each rule. Between policies there are gaps, so that one that
/// comes takes a place among the others and moves them only where a gap is full: ranks depend on what was there before, and
/// how they compare depends on the policies alone.
struct TierRanks {
    private struct Band: Hashable {
        enum Section: Hashable {
            case priority(Int)
            case before
            case behind
        }

        let tier: PolicyTier
        let section: Section

        /// Its first rank and the number of them.
        var ranks: (first: Int, count: Int) {
            switch section {
            case .priority(let priority): (priority * TierRanks.bandWidth, TierRanks.bandWidth)
            case .before: (0, Int(TierRanks.together))
            case .behind: (Int(TierRanks.together) + 1, 0xff_fffd - Int(TierRanks.together))
            }
        }
    }

    /// Where a policy stands.
    private struct Place: Hashable {
        var band: Band
        var order: Double
        var ruleCount: Int
        /// In its band; negative: none yet.
        var start = -1

        var end: Int { start + ruleCount }
    }

    private struct Member {
        var order: Double
        var reference: PolicyReference

        static func precedes(_ a: Member, _ b: Member) -> Bool {
            if a.order != b.order { return a.order < b.order }
            return a.reference.name == b.reference.name
                ? a.reference < b.reference : a.reference.name < b.reference.name
        }
    }

    private var places: [PolicyReference: Place] = [:]
    /// In their order.
    private var bands: [Band: [Member]] = [:]
    /// Bands that had more rules than ranks: rules beyond share the last one, where deny beats allow.
    private var overfull: Set<Band> = []
    /// What places were before they changed, since the last `keep`.
    private var notes: [PolicyReference: Place?] = [:]

    /// Ranks of a priority.
    static let bandWidth = 16_743
    /// Of rules judged together.
    static let together: UInt32 = 0x80_0000

    init() {}

    init(_ policies: some Sequence<Policy>) {
        _ = replace(policies.map { ($0.reference, $0) })
        keep()
    }

    var references: some Sequence<PolicyReference> { places.keys }

    /// Puts policies in their places, or takes them out (nil); returns the others whose rules have other ranks now.
    mutating func replace(_ changes: [(reference: PolicyReference, policy: Policy?)]) -> [PolicyReference] {
        var entered: [Band: [Member]] = [:]
        var left: Set<Band> = []
        for (reference, policy) in changes {
            let old = places[reference]
            guard var new = policy.flatMap(TierRanks.place) else {
                if let old {
                    leave(reference, old)
                    left.insert(old.band)
                }
                continue
            }
            let member = Member(order: new.order, reference: reference)
            if let old, old.band == new.band, old.order == new.order {
                guard old.ruleCount != new.ruleCount else { continue }
                new.start = hasRoom(new.ruleCount, at: old, member) ? old.start : -1
                set(reference, new)
                if new.start >= 0 { continue }
            } else {
                if let old {
                    leave(reference, old)
                    left.insert(old.band)
                }
                set(reference, new)
            }
            entered[new.band, default: []].append(member)
        }
        var moved: Set<PolicyReference> = []
        let full = left.union(entered.keys).intersection(overfull)
        for (band, members) in entered {
            enter(members.filter { index(of: $0, in: band) == nil }, band)
            for member in members { settle(member, in: band, &moved) }
        }
        for band in full { spread(0..<(bands[band]?.count ?? 0), in: band, &moved) }
        return moved.subtracting(changes.map(\.reference)).sorted()
    }

    /// The rank of a rule by its position in a policy that has its place.
    func rank(of position: Int, in policy: Policy) -> UInt32 {
        guard policy.order != .together, let place = places[policy.reference] else { return TierRanks.together }
        let (first, count) = place.band.ranks
        return UInt32(first + min(max(0, place.start) + position, count - 1))
    }

    /// What changed is in force.
    mutating func keep() { notes.removeAll(keepingCapacity: notes.count < 256) }

    /// Undoes what changed since the last `keep`; returns those that are there and had another place.
    mutating func revert() -> [PolicyReference] {
        let past = notes
        for (reference, _) in past {
            if let place = places[reference] { leave(reference, place) }
        }
        var entered: [Band: [Member]] = [:]
        for case (let reference, let place?) in past {
            places[reference] = place
            entered[place.band, default: []].append(Member(order: place.order, reference: reference))
        }
        for (band, members) in entered { enter(members, band) }
        overfull = Set(
            bands.filter { band, members in
                members.last.flatMap { places[$0.reference]?.end } ?? 0 > band.ranks.count
            }.keys)
        keep()
        return past.keys.filter { places[$0] != nil }.sorted()
    }
}

extension TierRanks {
    /// A policy's place without its rank; nil: it needs none.
    private static func place(of policy: Policy) -> Place? {
        guard !policy.rules.isEmpty else { return nil }
        switch policy.order {
        case .together: return nil
        case .priority(let priority):
            let section = Band.Section.priority(Int(min(priority, PolicyOrder.lastPriority)))
            return Place(band: Band(tier: policy.tier, section: section), order: 0, ruleCount: policy.rules.count)
        case .ordered(let order):
            let order = order.flatMap { $0.isNaN ? nil : $0 } ?? .infinity
            return Place(
                band: Band(tier: policy.tier, section: order <= 1000 ? .before : .behind), order: order,
                ruleCount: policy.rules.count)
        }
    }

    private mutating func set(_ reference: PolicyReference, _ place: Place?) {
        if notes[reference] == nil { notes[reference] = .some(places[reference]) }
        places[reference] = place
    }

    private mutating func leave(_ reference: PolicyReference, _ place: Place) {
        if let index = index(of: Member(order: place.order, reference: reference), in: place.band) {
            bands[place.band]?.remove(at: index)
            if bands[place.band]?.isEmpty ?? false { bands[place.band] = nil }
        }
        set(reference, nil)
    }

    private mutating func enter(_ members: [Member], _ band: Band) {
        let present = bands[band]?.count ?? 0
        if members.count > 8 + present / 16 {
            bands[band, default: []] += members
            bands[band]?.sort(by: Member.precedes)
            return
        }
        for member in members {
            let index = lowerBound(member, in: band)
            bands[band, default: []].insert(member, at: index)
        }
    }

    private func lowerBound(_ member: Member, in band: Band) -> Int {
        let members = bands[band] ?? []
        var (low, high) = (0, members.count)
        while low < high {
            let middle = (low + high) / 2
            if Member.precedes(members[middle], member) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func index(of member: Member, in band: Band) -> Int? {
        let index = lowerBound(member, in: band)
        guard let members = bands[band], index < members.count, members[index].reference == member.reference else {
            return nil
        }
        return index
    }

    private func place(at index: Int, in band: Band) -> Place? {
        (bands[band]?[index].reference).flatMap { places[$0] }
    }

    /// True if a policy may have so many rules where it is.
    private func hasRoom(_ ruleCount: Int, at place: Place, _ member: Member) -> Bool {
        guard !overfull.contains(place.band), let index = index(of: member, in: place.band) else { return false }
        let next = index + 1 < bands[place.band]?.count ?? 0 ? self.place(at: index + 1, in: place.band)?.start : nil
        return ruleCount <= place.ruleCount || place.start + ruleCount <= next ?? place.band.ranks.count
    }

    // MARK: Ranks

    /// Gives a policy without a rank one, together with its neighbours that have none either.
    private mutating func settle(_ member: Member, in band: Band, _ moved: inout Set<PolicyReference>) {
        guard let index = index(of: member, in: band), place(at: index, in: band)?.start ?? 0 < 0 else { return }
        let count = bands[band]?.count ?? 0
        var (lower, upper) = (index, index + 1)
        var share = 1.0
        while true {
            while lower > 0, place(at: lower - 1, in: band)?.start ?? 0 < 0 { lower -= 1 }
            while upper < count, place(at: upper, in: band)?.start ?? 0 < 0 { upper += 1 }
            let isAll = lower == 0 && upper == count
            let (low, high) = room(lower..<upper, in: band)
            // The more are moved, the more room they are to get: then it lasts the longer.
            if isAll || Double(ruleCount(lower..<upper, in: band)) <= Double(high - low) * share { break }
            let size = upper - lower
            (lower, upper) = (max(0, lower - size), min(count, upper + size))
            share /= 1.25
        }
        spread(lower..<upper, in: band, &moved)
    }

    /// The ranks between the neighbours of some policies.
    private func room(_ range: Range<Int>, in band: Band) -> (low: Int, high: Int) {
        let count = bands[band]?.count ?? 0
        return (
            range.lowerBound == 0 ? 0 : place(at: range.lowerBound - 1, in: band)?.end ?? 0,
            range.upperBound == count ? band.ranks.count : place(at: range.upperBound, in: band)?.start ?? 0
        )
    }

    private func ruleCount(_ range: Range<Int>, in band: Band) -> Int {
        range.reduce(0) { $0 + (place(at: $1, in: band)?.ruleCount ?? 0) }
    }

    /// Gives neighbours ranks with equal gaps; behind the last one most is left, for who comes later.
    private mutating func spread(_ range: Range<Int>, in band: Band, _ moved: inout Set<PolicyReference>) {
        let (low, high) = room(range, in: band)
        let free = high - low - ruleCount(range, in: band)
        var gap = max(0, free / (range.count + 1))
        if range.upperBound == bands[band]?.count ?? 0 { gap = min(gap, max(1, band.ranks.count / 1024)) }
        if range.lowerBound == 0, range.upperBound == bands[band]?.count ?? 0 {
            if free < 0 { overfull.insert(band) } else { overfull.remove(band) }
        }
        var next = low + gap
        for index in range {
            guard let member = bands[band]?[index], var place = places[member.reference] else { continue }
            if place.start != next {
                if place.start >= 0 { moved.insert(member.reference) }
                place.start = next
                set(member.reference, place)
            }
            next += place.ruleCount + gap
        }
    }
}
