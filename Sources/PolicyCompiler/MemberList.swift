// SPDX-License-Identifier: Apache-2.0

/// Numbers in order, none twice: one comes or goes by a search for its place, however long the list is.
struct MemberList {
    private(set) var list: [UInt32]

    init(_ list: [UInt32] = []) { self.list = list.sorted() }

    var isEmpty: Bool { list.isEmpty }
    var count: Int { list.count }

    mutating func insert(_ member: UInt32) {
        // Mostly the newest number.
        guard let last = list.last, last >= member else { return list.append(member) }
        let place = place(of: member)
        if list[place] != member { list.insert(member, at: place) }
    }

    /// False if it is not there.
    @discardableResult
    mutating func remove(_ member: UInt32) -> Bool {
        let place = place(of: member)
        guard place < list.count, list[place] == member else { return false }
        list.remove(at: place)
        return true
    }

    private func place(of member: UInt32) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if list[middle] < member { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
