// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// Knows which peers have a port of a name, and which rules ask every peer for it, while both come and go.
struct PortNameIndex<User: AnyObject> {
    private var membersByName: [NamedPort: Set<UInt32>] = [:]
    private var usersByName: [NamedPort: SelectorUsers<User>] = [:]

    /// The peers with at least one of these names, in no order, none twice.
    func members(of names: [NamedPort]) -> [UInt32] {
        guard names.count != 1 else { return Array(membersByName[names[0]] ?? []) }
        return Array(names.reduce(into: Set<UInt32>()) { $0.formUnion(membersByName[$1] ?? []) })
    }

    /// The rules that ask for at least one of these names, none twice.
    func users(of ports: NamedPorts) -> [User] {
        guard !usersByName.isEmpty else { return [] }
        var seen: Set<ObjectIdentifier> = []
        return ports.numbers.keys.flatMap { usersByName[$0]?.list ?? [] }.filter {
            seen.insert(ObjectIdentifier($0)).inserted
        }
    }

    mutating func use(_ names: [NamedPort], by user: User) {
        for name in Set(names) {
            if usersByName[name] == nil {
                usersByName[name] = SelectorUsers(user)
            } else {
                usersByName[name]?.append(user)
            }
        }
    }

    mutating func release(_ names: [NamedPort], by user: User) {
        for name in Set(names) {
            usersByName[name]?.remove(user)
            if usersByName[name]?.isEmpty ?? false { usersByName[name] = nil }
        }
    }

    mutating func insert(_ member: UInt32, _ ports: NamedPorts) {
        for name in ports.numbers.keys { membersByName[name, default: []].insert(member) }
    }

    mutating func remove(_ member: UInt32, _ ports: NamedPorts) {
        for name in ports.numbers.keys {
            membersByName[name]?.remove(member)
            if membersByName[name]?.isEmpty ?? false { membersByName[name] = nil }
        }
    }
}
