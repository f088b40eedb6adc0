// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Which number each name selector has, and which rules use it.
struct NameIndex<User: AnyObject> {
    private var names: [NameSelector] = []
    private var ids: [NameSelector: Int] = [:]
    private var numbers: [NameSelector: UInt32] = [:]
    private var users: [NameSelector: SelectorUsers<User>] = [:]

    func members(of id: Int) -> [UInt32] { numbers[names[id]].map { [$0] } ?? [] }

    func users(of name: NameSelector) -> [User] { users[name]?.list ?? [] }

    mutating func use(_ name: NameSelector, by user: User) -> Int {
        if users[name]?.append(user) == nil { users[name] = SelectorUsers(user) }
        if let id = ids[name] { return id }
        ids[name] = names.count
        names.append(name)
        return names.count - 1
    }

    mutating func release(_ id: Int, by user: User) {
        let name = names[id]
        users[name]?.remove(user)
        if users[name]?.isEmpty ?? false { users[name] = nil }
    }

    mutating func insert(_ name: NameSelector, _ number: UInt32) { numbers[name] = number }

    mutating func remove(_ name: NameSelector) { numbers[name] = nil }
}
