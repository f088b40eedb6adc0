// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// Which peers belong to the groups that each selector in use selects, while all of them come and go.
struct GroupIndex<User: AnyObject> {
    /// A member is a set of labels that groups have.
    private var selectors = LabelIndex<User>()
    private var peers = GroupPeers()

    /// The peers of a selector's groups, each once for every group that it is in.
    func members(of id: Int) -> [UInt32] { selectors.members(of: id).flatMap(peers.peers) }

    func users(of id: Int) -> [User] { selectors.users(of: id) }

    mutating func use(_ selector: LabelSelector, by user: User) -> Int { selectors.use(selector, by: user) }

    mutating func release(_ id: Int, by user: User) { selectors.release(id, by: user) }

    /// Adds a peer to a group; returns the selectors that select the group.
    mutating func insert(_ peer: UInt32, _ group: LabelSet) -> [Int] {
        let (member, isNew) = peers.insert(peer, group)
        return isNew ? selectors.insert(member, group) : selectors.selectors(of: member)
    }

    /// Takes a peer out of a group; returns the selectors that select the group.
    mutating func remove(_ peer: UInt32, _ group: LabelSet) -> [Int] {
        guard let member = peers.number(of: group) else { return [] }
        return peers.remove(peer, group) ? selectors.remove(member) : selectors.selectors(of: member)
    }
}

/// Peers by the groups they are in; groups are told apart by their labels alone.
private struct GroupPeers {
    private var numbers: [LabelSet: UInt32] = [:]
    private var peers: [UInt32: [UInt32]] = [:]
    private var nextNumber: UInt32 = 0

    func peers(of group: UInt32) -> [UInt32] { peers[group] ?? [] }

    /// Adds a peer to a group; `isNew`: it is the group's first.
    mutating func insert(_ peer: UInt32, _ group: LabelSet) -> (number: UInt32, isNew: Bool) {
        if let number = numbers[group] {
            peers[number, default: []].append(peer)
            return (number, false)
        }
        let number = nextNumber
        nextNumber += 1
        numbers[group] = number
        peers[number] = [peer]
        return (number, true)
    }

    func number(of group: LabelSet) -> UInt32? { numbers[group] }

    /// Takes a peer out of a group; true if it was the last one.
    mutating func remove(_ peer: UInt32, _ group: LabelSet) -> Bool {
        guard let number = numbers[group], let index = peers[number]?.firstIndex(of: peer) else { return false }
        peers[number]?.remove(at: index)
        guard peers[number]?.isEmpty ?? true else { return false }
        peers[number] = nil
        numbers[group] = nil
        return true
    }
}
