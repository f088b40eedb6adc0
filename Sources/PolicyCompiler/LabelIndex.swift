// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// Knows which members (identities or subjects) each selector in use selects, while both come and go.
///
/// A selector is anchored at one positive requirement: only members with that label are compared with it, and a new
/// member is compared only with the selectors anchored at one of its labels. So the best anchor is a label that few
/// members have and few selectors are anchored at: of a namespace's 10 000 policies few ask for the same application.
/// `User` is what depends on a selector.
struct LabelIndex<User: AnyObject> {
    struct Pair: Hashable {
        let key: String
        let value: String
    }

    private enum Anchor {
        case values([Pair])
        case key(String)
        case none
    }

    private struct Entry {
        let selector: LabelSelector
        let anchor: Anchor
        var users: SelectorUsers<User>
    }

    private(set) var labels: [UInt32: LabelSet] = [:]
    private var membersByPair: [Pair: MemberList] = [:]
    private var membersByKey: [String: MemberList] = [:]
    private var entries: [Entry?] = []
    /// Members by selector, apart: they are asked for most.
    private var members: [MemberList] = []
    private var freeIDs: [Int] = []
    private var ids: [LabelSelector: Int] = [:]
    private var selectorsByPair: [Pair: [Int]] = [:]
    private var selectorsByKey: [String: [Int]] = [:]
    private var unanchored: [Int] = []

    /// The members a selector in use selects, in order.
    func members(of id: Int) -> [UInt32] { members[id].list }

    func users(of id: Int) -> [User] { entries[id]?.users.list ?? [] }

    func selector(_ id: Int) -> LabelSelector? { entries[id]?.selector }

    /// The selectors that select a member.
    func selectors(of member: UInt32) -> [Int] {
        guard let set = labels[member] else { return [] }
        return possibleSelectors(set).filter { entries[$0]?.selector.matches(set) ?? false }
    }

    /// Adds a user of a selector and returns the selector's number.
    mutating func use(_ selector: LabelSelector, by user: User) -> Int {
        if let id = ids[selector] {
            entries[id]?.users.append(user)
            return id
        }
        let anchor = anchor(of: selector)
        let entry = Entry(
            selector: selector, anchor: anchor, users: SelectorUsers(user))
        let list = MemberList(candidates(anchor).filter { matches(selector, $0) })
        let id = freeIDs.popLast() ?? entries.count
        if id == entries.count {
            entries.append(entry)
            members.append(list)
        } else {
            (entries[id], members[id]) = (entry, list)
        }
        ids[selector] = id
        switch anchor {
        case .values(let pairs): for pair in pairs { selectorsByPair[pair, default: []].append(id) }
        case .key(let key): selectorsByKey[key, default: []].append(id)
        case .none: unanchored.append(id)
        }
        return id
    }

    /// Takes a user away; the last one takes the selector with it.
    mutating func release(_ id: Int, by user: User) {
        entries[id]?.users.remove(user)
        guard let entry = entries[id], entry.users.isEmpty else { return }
        switch entry.anchor {
        case .values(let pairs):
            for pair in pairs { LabelIndex.drop(id, from: &selectorsByPair, at: pair) }
        case .key(let key): LabelIndex.drop(id, from: &selectorsByKey, at: key)
        case .none: unanchored.removeAll { $0 == id }
        }
        ids[entry.selector] = nil
        (entries[id], members[id]) = (nil, MemberList())
        freeIDs.append(id)
    }

    /// Adds a member; returns the selectors that select it.
    mutating func insert(_ member: UInt32, _ set: LabelSet) -> [Int] {
        labels[member] = set
        for label in set.labels {
            membersByPair[Pair(key: label.key, value: label.value), default: MemberList()].insert(member)
            membersByKey[label.key, default: MemberList()].insert(member)
        }
        let selected = possibleSelectors(set).filter { entries[$0]?.selector.matches(set) ?? false }
        for id in selected { members[id].insert(member) }
        return Array(selected)
    }

    /// Removes a member; returns the selectors that selected it.
    mutating func remove(_ member: UInt32) -> [Int] {
        guard let set = labels.removeValue(forKey: member) else { return [] }
        for label in set.labels {
            LabelIndex.remove(member, from: &membersByPair, at: Pair(key: label.key, value: label.value))
            LabelIndex.remove(member, from: &membersByKey, at: label.key)
        }
        var selected: [Int] = []
        for id in possibleSelectors(set) {
            if members[id].remove(member) { selected.append(id) }
        }
        return selected
    }

    private func matches(_ selector: LabelSelector, _ member: UInt32) -> Bool {
        labels[member].map(selector.matches) ?? false
    }

    /// Those that a member with these labels has to be compared with.
    func possibleSelectors(_ set: LabelSet) -> Set<Int> {
        var possible = Set(unanchored)
        for label in set.labels {
            possible.formUnion(selectorsByPair[Pair(key: label.key, value: label.value)] ?? [])
            possible.formUnion(selectorsByKey[label.key] ?? [])
        }
        return possible
    }

    private func anchor(of selector: LabelSelector) -> Anchor {
        var best: (anchor: Anchor, cost: Int) = (.none, .max)
        for requirement in selector.requirements {
            let candidate: (Anchor, Int)
            switch requirement.operation {
            case .isIn(let values):
                let pairs = Set(values).map { Pair(key: requirement.key, value: $0) }
                candidate = (
                    .values(pairs),
                    pairs.reduce(0) { $0 + (membersByPair[$1]?.count ?? 0) + (selectorsByPair[$1]?.count ?? 0) }
                )
            case .exists, .has:
                let key = requirement.key
                candidate = (.key(key), (membersByKey[key]?.count ?? 0) + (selectorsByKey[key]?.count ?? 0))
            case .isNotIn, .doesNotExist, .hasNot: continue
            }
            if candidate.1 < best.cost { best = candidate }
        }
        return best.anchor
    }

    private func candidates(_ anchor: Anchor) -> [UInt32] {
        switch anchor {
        case .values(let pairs) where pairs.count == 1: membersByPair[pairs[0]]?.list ?? []
        case .values(let pairs): Array(Set(pairs.flatMap { membersByPair[$0]?.list ?? [] }))
        case .key(let key): membersByKey[key]?.list ?? []
        case .none: Array(labels.keys)
        }
    }

    private static func remove<Key: Hashable>(
        _ member: UInt32, from lists: inout [Key: MemberList], at key: Key
    ) {
        lists[key]?.remove(member)
        if lists[key]?.isEmpty ?? false { lists[key] = nil }
    }

    private static func drop<Key: Hashable, Element: Equatable>(
        _ element: Element, from lists: inout [Key: [Element]], at key: Key
    ) {
        guard let index = lists[key]?.firstIndex(of: element) else { return }
        lists[key]?.remove(at: index)
        if lists[key]?.isEmpty ?? false { lists[key] = nil }
    }
}
