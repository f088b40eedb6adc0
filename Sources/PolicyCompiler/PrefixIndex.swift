// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Knows which identities with a prefix each prefix selector in use selects, while both come and go.
///
/// Identities are sorted by address, so those inside a selector's prefix stand together; the selectors around a new
/// identity's prefix are found by trying its shorter lengths.
struct PrefixIndex<User: AnyObject> {
    struct Selector: Hashable {
        let prefix: CIDR
        let except: PrefixSet
        let includesWorkloads: Bool

        func selects(_ other: CIDR, isWorkload: Bool) -> Bool {
            (includesWorkloads || !isWorkload) && prefix.contains(other) && !except.contains(other)
        }
    }

    struct Member: Hashable {
        let prefix: CIDR
        let identity: UInt32
        let isWorkload: Bool

        /// Families apart: IPv4-mapped addresses lie in the midst of IPv6's.
        static func precedes(_ a: Member, _ b: Member) -> Bool {
            guard a.prefix.isIPv4 == b.prefix.isIPv4 else { return a.prefix.isIPv4 }
            return (a.prefix.address, a.prefix.length, a.identity) < (b.prefix.address, b.prefix.length, b.identity)
        }
    }

    private struct Entry {
        let selector: Selector
        var members: MemberList
        var users: SelectorUsers<User>
    }

    private var sorted = SortedChunks(by: Member.precedes)
    private var entries: [Entry?] = []
    private var freeIDs: [Int] = []
    private var ids: [Selector: Int] = [:]
    private var idsByPrefix: [CIDR: [Int]] = [:]

    func members(of id: Int) -> [UInt32] { entries[id]?.members.list ?? [] }

    func users(of id: Int) -> [User] { entries[id]?.users.list ?? [] }

    mutating func use(_ selector: Selector, by user: User) -> Int {
        if let id = ids[selector] {
            entries[id]?.users.append(user)
            return id
        }
        let entry = Entry(
            selector: selector, members: MemberList(selected(by: selector)), users: SelectorUsers(user))
        let id = freeIDs.popLast() ?? entries.count
        if id == entries.count { entries.append(entry) } else { entries[id] = entry }
        ids[selector] = id
        idsByPrefix[selector.prefix, default: []].append(id)
        return id
    }

    mutating func release(_ id: Int, by user: User) {
        entries[id]?.users.remove(user)
        guard let entry = entries[id], entry.users.isEmpty else { return }
        idsByPrefix[entry.selector.prefix]?.removeAll { $0 == id }
        if idsByPrefix[entry.selector.prefix]?.isEmpty ?? false { idsByPrefix[entry.selector.prefix] = nil }
        ids[entry.selector] = nil
        entries[id] = nil
        freeIDs.append(id)
    }

    mutating func insert(_ member: Member) -> [Int] {
        sorted.insert(member)
        let selected = selectors(of: member)
        for id in selected { entries[id]?.members.insert(member.identity) }
        return selected
    }

    mutating func remove(_ member: Member) -> [Int] {
        guard sorted.remove(member) else { return [] }
        let selected = selectors(of: member)
        for id in selected { entries[id]?.members.remove(member.identity) }
        return selected
    }

    private func selectors(of member: Member) -> [Int] {
        var selected: [Int] = []
        for length in 0...member.prefix.length {
            for id in idsByPrefix[CIDR(member.prefix.address, length: length)] ?? [] {
                if entries[id]?.selector.selects(member.prefix, isWorkload: member.isWorkload) ?? false {
                    selected.append(id)
                }
            }
        }
        return selected
    }

    private func selected(by selector: Selector) -> [UInt32] {
        let first = Member(prefix: selector.prefix, identity: 0, isWorkload: false)
        return sorted.elements(from: first) { selector.prefix.contains($0.prefix) }
            .filter { selector.selects($0.prefix, isWorkload: $0.isWorkload) }.map(\.identity)
    }
}
