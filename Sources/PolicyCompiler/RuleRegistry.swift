// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel
package import PolicyModel

/// Gives every rule and every set of closing policies the number by which the kernel counts and names it.
///
/// A number stays with its rule over generations and, through a snapshot, over restarts of the agent. A number given
/// back is remembered, so that a rule that returns finds it again, and is handed to another rule only when no unused
/// one is left, the longest unused first: late events and old flows keep naming the right rule.
package struct RuleRegistry: Sendable {
    /// What identifies the owner of a slot: line numbers may move, the place in the document counts.
    package enum Owner: Hashable, Sendable {
        case rule(PolicyReference, section: String, index: Int)
        case defaultDeny(Direction, [PolicyReference])

        package init?(_ description: RuleDescription) {
            switch description {
            case .rule(let origin): self = .rule(origin.policy, section: origin.section, index: origin.index)
            case .defaultDeny(let direction, let policies): self = .defaultDeny(direction, policies)
            case .builtin: return nil
            }
        }
    }

    /// Slots below 16 of `bpf/abi/policy.h`, under the names the user reads.
    package static let builtins: [UInt32: RuleDescription] = [
        1: .builtin("host access"), 2: .builtin("failsafe"), 3: .builtin("neighbor discovery"), 4: .builtin("self"),
        5: .builtin("related"), 6: .builtin("forwarded"), 7: .builtin("kept connection"),
        15: .builtin("unnumbered rule"),
    ]
    package static let hostAccess: UInt32 = 1
    /// Stands for every rule beyond the number of slots: its verdicts hold, only their cause goes without a name.
    package static let unnumbered: UInt32 = 15
    package static let slotRange: ClosedRange<UInt32> = 16...65535

    /// What every slot in use stands for, builtin ones included.
    package private(set) var descriptions: [UInt32: RuleDescription] = RuleRegistry.builtins

    private var users: [Owner: Int] = [:]
    private var pool = NumberPool<Owner>(RuleRegistry.slotRange)

    package init() {}

    /// The slot of a description, allocated for its first user; `unnumbered` if there is none left.
    package mutating func use(_ description: RuleDescription) -> UInt32 {
        guard let owner = Owner(description) else { return 0 }
        guard let slot = pool.assign(owner) else { return RuleRegistry.unnumbered }
        users[owner, default: 0] += 1
        descriptions[slot] = description
        return slot
    }

    /// One user less; the slot of the last one is given back, and returned.
    @discardableResult
    package mutating func release(_ description: RuleDescription) -> UInt32? {
        guard let owner = Owner(description), let count = users[owner] else { return nil }
        guard count == 1 else {
            users[owner] = count - 1
            return nil
        }
        users[owner] = nil
        let slot = pool.release(owner)
        if let slot { descriptions[slot] = nil }
        return slot
    }

    /// The slot of a rule or set in use.
    package func slot(of description: RuleDescription) -> UInt32? {
        Owner(description).flatMap { pool.assigned[$0] }
    }
}

extension RuleRegistry {
    /// All numbers given out and remembered, as plain values to be written to disk.
    package struct Snapshot: Codable, Hashable, Sendable {
        /// One slot's owner.
        ///
        /// `section` nil: default deny by `policies` in `direction`.
        package struct Entry: Codable, Hashable, Sendable {
            package var slot: UInt32
            package var section: String?
            package var index: Int
            package var direction: UInt8
            package var policies: [[String]]
        }

        package var nextFresh: UInt32
        package var entries: [Entry]

        package init(nextFresh: UInt32, entries: [Entry]) {
            self.nextFresh = nextFresh
            self.entries = entries
        }
    }

    package var snapshot: Snapshot { Snapshot(pool.snapshot) }

    /// What the snapshot has gained since the last call; nil if nothing.
    package mutating func takeIssued() -> Snapshot? { pool.takeIssued().map(Snapshot.init) }

    /// Starts where a snapshot ended: all slots are remembered, none is in use.
    ///
    /// Entries that make no sense are left out.
    package init(_ snapshot: Snapshot) {
        let numbers = snapshot.entries.compactMap { entry in entry.owner.map { ($0, entry.slot) } }
        pool = NumberPool(
            RuleRegistry.slotRange,
            restoring: .init(nextFresh: snapshot.nextFresh, numbers: Dictionary(numbers) { $1 }))
    }
}

extension RuleRegistry.Snapshot {
    fileprivate init(_ plain: NumberPool<RuleRegistry.Owner>.Snapshot) {
        self.init(
            nextFresh: plain.nextFresh, entries: plain.numbers.map(Entry.init).sorted { $0.slot < $1.slot })
    }

    /// Adds what was issued later, oldest first; of several owners of a number the last one has it.
    package mutating func merge(_ later: some Sequence<RuleRegistry.Snapshot>) {
        var owners = Dictionary(entries.map { ($0.slot, $0) }) { $1 }
        for snapshot in later {
            for entry in snapshot.entries { owners[entry.slot] = entry }
            nextFresh = max(nextFresh, snapshot.nextFresh)
        }
        entries = Array(owners.values)
    }
}

extension RuleRegistry.Snapshot.Entry {
    fileprivate init(_ owner: RuleRegistry.Owner, _ slot: UInt32) {
        self.slot = slot
        switch owner {
        case .rule(let policy, let section, let index):
            (self.section, self.index, direction) = (section, index, 0)
            policies = [[policy.kind, policy.namespace, policy.name]]
        case .defaultDeny(let direction, let policies):
            (section, index, self.direction) = (nil, 0, direction.rawValue)
            self.policies = policies.map { [$0.kind, $0.namespace, $0.name] }
        }
    }

    fileprivate var owner: RuleRegistry.Owner? {
        let references = policies.filter { $0.count == 3 }.map {
            PolicyReference(kind: $0[0], namespace: $0[1], name: $0[2])
        }
        guard references.count == policies.count else { return nil }
        if let section { return references.first.map { .rule($0, section: section, index: index) } }
        return Direction(rawValue: direction).map { .defaultDeny($0, references) }
    }
}
