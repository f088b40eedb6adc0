// SPDX-License-Identifier: Apache-2.0

/// Numbers in no order, none twice; a long list knows where each one is.
struct MemberList {
    private(set) var list: [UInt32]
    /// Empty while the list is short.
    private var positions: [UInt32: Int] = [:]

    private static var indexedFrom: Int { 32 }

    init(_ list: [UInt32]) {
        self.list = list
        if list.count >= MemberList.indexedFrom { index() }
    }

    mutating func append(_ member: UInt32) {
        list.append(member)
        if !positions.isEmpty {
            positions[member] = list.count - 1
        } else if list.count >= MemberList.indexedFrom {
            index()
        }
    }

    /// The last one takes the place of the one removed; false if it is not there.
    @discardableResult
    mutating func remove(_ member: UInt32) -> Bool {
        guard let position = positions.isEmpty ? list.firstIndex(of: member) : positions[member] else { return false }
        let last = list.removeLast()
        if position < list.count {
            list[position] = last
            if !positions.isEmpty { positions[last] = position }
        }
        positions[member] = nil
        return true
    }

    private mutating func index() {
        positions.reserveCapacity(list.count)
        for (position, member) in list.enumerated() { positions[member] = position }
    }
}
