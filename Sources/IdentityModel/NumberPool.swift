// SPDX-License-Identifier: Apache-2.0

/// Gives owners numbers of a range that stay theirs.
///
/// A number given back is remembered: an owner that returns finds it again, and another owner gets it only when very many
/// are remembered or no fresh number is left, the longest unused first. So what still carries the number (a flow in the
/// kernel, an event under way) keeps meaning the right owner for long, and owners that never return cost no memory for ever.
package struct NumberPool<Owner: Hashable & Sendable>: Sendable {
    /// Numbers and owners as plain values, to be written to disk.
    package struct Snapshot: Hashable, Sendable {
        package var nextFresh: UInt32
        package var numbers: [Owner: UInt32]

        package init(nextFresh: UInt32, numbers: [Owner: UInt32]) {
            self.nextFresh = nextFresh
            self.numbers = numbers
        }
    }

    /// So many former owners are remembered before their numbers go to others.
    package static var rememberedMax: Int { 65_536 }

    package let range: ClosedRange<UInt32>
    private let rememberedMax: Int
    private var holders = RevertibleTable<Owner, UInt32>()
    /// Owners that were given a number they did not have before, since the last `takeIssued`.
    private var issued: [Owner] = []

    private var nextFresh: UInt32
    private var remembered = RevertibleTable<Owner, UInt32>()
    /// By number, with the turn in which it was given back.
    private var rememberedOwners = RevertibleTable<UInt32, (owner: Owner, turn: UInt64)>()
    private var turn: UInt64 = 0
    /// Numbers given back, oldest first; may hold numbers that their owner took again, or gave back again later.
    private var queue: [(number: UInt32, turn: UInt64)] = []
    private var queueStart = 0
    /// As it was when a change began; nil: none has.
    private var former: (issued: [Owner], nextFresh: UInt32, queueStart: Int, queueCount: Int)?

    /// Owners that hold a number now.
    package var assigned: [Owner: UInt32] { holders.values }

    package init(_ range: ClosedRange<UInt32>, rememberedMax: Int = NumberPool.rememberedMax) {
        self.range = range
        self.rememberedMax = rememberedMax
        nextFresh = range.lowerBound
    }

    /// Starts where a snapshot ended, with all its numbers remembered and none assigned.
    ///
    /// What contradicts the range or another entry is left out.
    package init(_ range: ClosedRange<UInt32>, restoring snapshot: Snapshot) {
        // Who returns after a restart finds his number even if others come first.
        self.init(range, rememberedMax: max(NumberPool.rememberedMax, snapshot.numbers.count + 4096))
        let end = range.upperBound + 1
        nextFresh = min(max(snapshot.nextFresh, range.lowerBound), end)
        for (owner, number) in snapshot.numbers.sorted(by: { $0.value < $1.value }) {
            guard range.contains(number), number < nextFresh, rememberedOwners[number] == nil else { continue }
            remember(owner, number)
        }
    }

    package var snapshot: Snapshot {
        Snapshot(
            nextFresh: nextFresh,
            numbers: remembered.values.isEmpty ? assigned : remembered.values.merging(assigned) { $1 })
    }

    /// What the snapshot has gained since the last call; nil if nothing.
    ///
    /// A number given to another owner than before is among it.
    package mutating func takeIssued() -> Snapshot? {
        guard !issued.isEmpty else { return nil }
        defer { issued = [] }
        let numbers = issued.compactMap { owner in (assigned[owner] ?? remembered[owner]).map { (owner, $0) } }
        return Snapshot(nextFresh: nextFresh, numbers: Dictionary(numbers) { $1 })
    }

    /// The owner's number, its old one if it is still free; nil if all are assigned.
    package mutating func assign(_ owner: Owner) -> UInt32? {
        if let number = holders[owner] { return number }
        guard let number = freeNumber(for: owner) else { return nil }
        holders[owner] = number
        return number
    }

    /// Takes an owner's number back; returns it.
    @discardableResult
    package mutating func release(_ owner: Owner) -> UInt32? {
        guard let number = holders[owner] else { return nil }
        holders[owner] = nil
        remember(owner, number)
        tidyQueue()
        return number
    }

    /// Lets a change begin, stand or be taken back: then everybody has the number they had.
    package mutating func revise(_ revision: TableRevision) {
        holders.revise(revision)
        remembered.revise(revision)
        rememberedOwners.revise(revision)
        switch revision {
        case .begin: former = (issued, nextFresh, queueStart, queue.count)
        case .keep: former = nil
        case .revert:
            guard let former else { return }
            (issued, nextFresh, queueStart) = (former.issued, former.nextFresh, former.queueStart)
            queue.removeLast(queue.count - former.queueCount)
            self.former = nil
        }
        tidyQueue()
    }

    /// Forgets what is no number to hand on: those that their owners took again.
    ///
    /// Not while a change may be taken back: it would miss what goes here.
    private mutating func tidyQueue() {
        guard former == nil, queue.count > 4096 + 2 * rememberedOwners.values.count else { return }
        queue = queue[queueStart...].filter { rememberedOwners[$0.number]?.turn == $0.turn }
        queueStart = 0
    }

    private mutating func remember(_ owner: Owner, _ number: UInt32) {
        turn += 1
        queue.append((number, turn))
        remembered[owner] = number
        rememberedOwners[number] = (owner, turn)
    }

    private mutating func freeNumber(for owner: Owner) -> UInt32? {
        if let number = remembered[owner] {
            remembered[owner] = nil
            rememberedOwners[number] = nil
            return number
        }
        if rememberedOwners.values.count < rememberedMax, let number = takeFresh() {
            issued.append(owner)
            return number
        }
        while queueStart < queue.count {
            let (number, turn) = queue[queueStart]
            queueStart += 1
            guard let previous = rememberedOwners[number], previous.turn == turn else { continue }
            rememberedOwners[number] = nil
            remembered[previous.owner] = nil
            issued.append(owner)
            return number
        }
        return nil
    }

    private mutating func takeFresh() -> UInt32? {
        guard nextFresh <= range.upperBound else { return nil }
        defer { nextFresh += 1 }
        return nextFresh
    }
}

extension NumberPool.Snapshot: Codable where Owner: Codable {}
