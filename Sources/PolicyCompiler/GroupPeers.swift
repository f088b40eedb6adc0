// SPDX-License-Identifier: Apache-2.0

import IdentityModel

/// Peers by the groups of prefixes around them; groups are told apart by their labels alone.
struct GroupPeers {
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
