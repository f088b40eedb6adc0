// SPDX-License-Identifier: Apache-2.0

/// Numbers in order, none twice: one comes or goes by a search for its place, however long the list is.
///
/// Most lists hold one number, the workload with a label that nobody else has: those need no memory of their own.
struct MemberList {
    private enum Content {
        case one(UInt32)
        case any([UInt32])
    }

    private var content = Content.any([])

    init(_ list: [UInt32] = []) { put(list.sorted()) }

    var list: [UInt32] {
        switch content {
        case .one(let number): [number]
        case .any(let list): list
        }
    }

    var isEmpty: Bool { count == 0 }

    var count: Int {
        switch content {
        case .one: 1
        case .any(let list): list.count
        }
    }

    mutating func insert(_ member: UInt32) {
        var list = take()
        // Mostly the newest number.
        if let last = list.last, last >= member {
            let place = MemberList.place(of: member, in: list)
            if list[place] != member { list.insert(member, at: place) }
        } else {
            list.append(member)
        }
        put(list)
    }

    /// False if it is not there.
    @discardableResult
    mutating func remove(_ member: UInt32) -> Bool {
        var list = take()
        defer { put(list) }
        let place = MemberList.place(of: member, in: list)
        guard place < list.count, list[place] == member else { return false }
        list.remove(at: place)
        return true
    }

    /// Leaves nothing behind, so that the list is changed in its place.
    private mutating func take() -> [UInt32] {
        defer { content = .any([]) }
        return list
    }

    private mutating func put(_ list: [UInt32]) {
        content = list.count == 1 ? .one(list[0]) : .any(list)
    }

    private static func place(of member: UInt32, in list: [UInt32]) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if list[middle] < member { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
