// SPDX-License-Identifier: Apache-2.0

/// The objects that depend on a selector.
///
/// Thousands of rules may share one, so a long list knows where each one is.
struct SelectorUsers<User: AnyObject> {
    private(set) var list: [User] = []
    private var positions: [ObjectIdentifier: Int] = [:]

    private static var indexedFrom: Int { 32 }

    init(_ first: User) { list = [first] }

    var isEmpty: Bool { list.isEmpty }

    mutating func append(_ user: User) {
        list.append(user)
        if !positions.isEmpty {
            positions[ObjectIdentifier(user)] = list.count - 1
        } else if list.count == SelectorUsers.indexedFrom {
            for (index, user) in list.enumerated() { positions[ObjectIdentifier(user)] = index }
        }
    }

    /// The last one takes the place of the one removed.
    mutating func remove(_ user: User) {
        let known = positions.isEmpty ? list.firstIndex { $0 === user } : positions[ObjectIdentifier(user)]
        guard let index = known else { return }
        let last = list.removeLast()
        if index < list.count {
            list[index] = last
            if !positions.isEmpty { positions[ObjectIdentifier(last)] = index }
        }
        positions[ObjectIdentifier(user)] = nil
    }
}
