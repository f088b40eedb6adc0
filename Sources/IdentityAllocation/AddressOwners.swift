// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

/// Which endpoint an address is of.
///
/// Of several that name one address the same one always has it: one of this host before those of others, then the first
/// by name.
struct AddressOwners: Sendable {
    typealias Endpoint = IdentityAllocator.Endpoint

    /// An endpoint that names an address.
    private struct Claim: Hashable, Comparable, Sendable {
        let name: String
        let isRemote: Bool

        static func < (a: Claim, b: Claim) -> Bool {
            a.isRemote == b.isRemote ? a.name < b.name : b.isRemote
        }
    }

    private var winners = RevertibleTable<IPAddress, Claim>()
    /// The others, in order.
    private var rivals = RevertibleTable<IPAddress, [Claim]>()
    private var sorted = SortedPrefixes()
    /// Addresses that somebody has or nobody any more, since a change began; nil: none has.
    private var steps: [(prefix: CIDR, isInsertion: Bool)]?

    func owner(of address: IPAddress) -> String? { winners[address]?.name }

    /// Addresses that more than one endpoint names.
    var contested: some Sequence<IPAddress> { rivals.values.keys }

    /// The endpoints of other hosts that name an address, whoever has it.
    func remoteClaimants(of address: IPAddress) -> [String] {
        let winner = winners[address].map { [$0] } ?? []
        return (winner + (rivals[address] ?? [])).filter(\.isRemote).map(\.name)
    }

    /// Addresses inside a prefix that endpoints name.
    func inside(_ prefix: CIDR) -> [IPAddress] { sorted.inside(prefix).map(\.address) }

    /// Puts an endpoint's addresses in the place of those it had; returns those that may be somebody else's now.
    mutating func replace(_ name: String, _ old: Endpoint?, by new: Endpoint?) -> Set<IPAddress> {
        let isSameKind = old?.isRemote == new?.isRemote
        if isSameKind, old?.addresses == new?.addresses { return [] }
        let before = Set(old?.addresses ?? []), after = Set(new?.addresses ?? [])
        let gone = isSameKind ? before.subtracting(after) : before
        let come = isSameKind ? after.subtracting(before) : after
        if let old { for address in gone { drop(Claim(name: name, isRemote: old.isRemote), address) } }
        if let new { for address in come { add(Claim(name: name, isRemote: new.isRemote), address) } }
        return gone.union(come)
    }

    mutating func revise(_ revision: TableRevision) {
        winners.revise(revision)
        rivals.revise(revision)
        let past = steps ?? []
        steps = revision == .begin ? [] : nil
        guard revision == .revert else { return }
        for step in past.reversed() {
            if step.isInsertion { sorted.remove(step.prefix) } else { sorted.insert(step.prefix) }
        }
    }

    private mutating func add(_ claim: Claim, _ address: IPAddress) {
        guard let winner = winners[address] else {
            winners[address] = claim
            note(address, isInsertion: true)
            return
        }
        winners[address] = min(winner, claim)
        rivals[address] = ((rivals[address] ?? []) + [max(winner, claim)]).sorted()
    }

    private mutating func drop(_ claim: Claim, _ address: IPAddress) {
        var others = rivals[address] ?? []
        if winners[address] != claim {
            others.removeAll { $0 == claim }
        } else if others.isEmpty {
            winners[address] = nil
            note(address, isInsertion: false)
        } else {
            winners[address] = others.removeFirst()
        }
        if rivals[address] != nil { rivals[address] = others.isEmpty ? nil : others }
    }

    private mutating func note(_ address: IPAddress, isInsertion: Bool) {
        let prefix = CIDR(host: address)
        steps?.append((prefix, isInsertion))
        if isInsertion { sorted.insert(prefix) } else { sorted.remove(prefix) }
    }
}
