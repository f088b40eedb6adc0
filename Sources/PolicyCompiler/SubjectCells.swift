// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// One rule's say about one key.
struct Contribution: Hashable {
    var rule: UInt32
    var precedence: UInt32
    var standing: PolicyStanding
}

/// All that the rules selecting one subject contribute to it, from which its table entries and its state follow.
///
/// Nearly every key has one contributor; the others are kept apart. What a rule contributed can be taken away again
/// without looking at other rules: that is what makes a change cost as much as the change.
struct SubjectCells {
    private(set) var first: [CellKey: Contribution] = [:]
    private(set) var more: [CellKey: [Contribution]] = [:]
    private var probeCounts = [Int32](repeating: 0, count: 4 * 18)
    /// Keys whose peer is a name.
    private var nameCount = 0
    /// By direction: policies that close it, those apart that do so in one of the two verdicts only.
    private var closers = [PolicySet(), PolicySet()]
    private var rehearsedClosers = [PolicySet(), PolicySet()]
    private var leavingClosers = [PolicySet(), PolicySet()]

    /// True if no policy has a say here.
    var isEmpty: Bool { first.isEmpty && (closers + rehearsedClosers + leavingClosers).allSatisfy(\.isEmpty) }

    mutating func add(_ contribution: Contribution, at key: CellKey) {
        if let other = first.updateValue(contribution, forKey: key) {
            first[key] = other
            more[key, default: []].append(contribution)
        } else {
            probeCounts[SubjectCells.probeIndex(key)] += 1
            if SubjectCells.namesName(key) { nameCount += 1 }
        }
    }

    mutating func remove(_ contribution: Contribution, at key: CellKey) {
        guard !more.isEmpty, var others = more[key] else {
            guard first.removeValue(forKey: key) != nil else { return }
            probeCounts[SubjectCells.probeIndex(key)] -= 1
            if SubjectCells.namesName(key) { nameCount -= 1 }
            return
        }
        if first[key] == contribution {
            first[key] = others.removeLast()
        } else if let index = others.firstIndex(of: contribution) {
            others.remove(at: index)
        }
        more[key] = others.isEmpty ? nil : others
    }

    /// The entry for a key; nil if nobody contributes.
    ///
    /// `precedes`: which rule is named when two are equally strong.
    func value(of key: CellKey, precedes: (UInt32, UInt32) -> Bool) -> PolicyValue? {
        first[key].map { value(of: key, $0, precedes: precedes) }
    }

    /// The entry for a key that has contributors, of which `only` is the first.
    func value(of key: CellKey, _ only: Contribution, precedes: (UInt32, UInt32) -> Bool) -> PolicyValue {
        var all = only.standing.isAmongAll ? only : nil
        var enforced = only.standing.isEnforced ? only : nil
        for other in more.isEmpty ? [] : more[key] ?? [] {
            func isStronger(_ best: Contribution) -> Bool {
                other.precedence > best.precedence
                    || other.precedence == best.precedence && other.rule != best.rule && precedes(other.rule, best.rule)
            }
            if other.standing.isAmongAll, all.map(isStronger) ?? true { all = other }
            if other.standing.isEnforced, enforced.map(isStronger) ?? true { enforced = other }
        }
        func verdict(_ best: Contribution?) -> PolicyVerdict {
            best.map { PolicyVerdict(precedence: $0.precedence, rule: $0.rule) } ?? PolicyVerdict()
        }
        return PolicyValue(enforced: verdict(enforced), all: verdict(all))
    }

    mutating func close(_ direction: Direction, by policy: PolicyReference, _ standing: PolicyStanding) {
        changeClosers(direction, standing) { $0.insert(policy) }
    }

    mutating func open(_ direction: Direction, by policy: PolicyReference, _ standing: PolicyStanding) {
        changeClosers(direction, standing) { $0.remove(policy) }
    }

    private mutating func changeClosers(
        _ direction: Direction, _ standing: PolicyStanding, _ change: (inout PolicySet) -> Void
    ) {
        let side = Int(direction.rawValue)
        switch standing {
        case .both: change(&closers[side])
        case .rehearsed: change(&rehearsedClosers[side])
        case .leaving: change(&leavingClosers[side])
        case .neither: break
        }
    }

    /// The policies named for "no rule allowed it": those that close in both verdicts, or all if none does.
    func closingPolicies(_ direction: Direction) -> [PolicyReference] {
        let side = Int(direction.rawValue)
        guard closers[side].isEmpty else { return closers[side].sorted }
        guard !leavingClosers[side].isEmpty else { return rehearsedClosers[side].sorted }
        return (leavingClosers[side].sorted + rehearsedClosers[side].sorted).sorted()
    }

    /// In which verdicts the direction is closed.
    func closing(_ direction: Direction) -> PolicyStanding {
        let side = Int(direction.rawValue)
        guard closers[side].isEmpty else { return .both }
        return switch (leavingClosers[side].isEmpty, rehearsedClosers[side].isEmpty) {
        case (true, true): .neither
        case (true, false): .rehearsed
        case (false, true): .leaving
        case (false, false): .both
        }
    }

    func state(defaultDenyRule: [UInt32], chain: UInt32) -> SubjectState {
        var masks: [[UInt32]] = [[0, 0], [0, 0]]
        for index in probeCounts.indices where probeCounts[index] > 0 {
            masks[index / 36][index / 18 % 2] |= 1 << UInt32(index % 18)
        }
        if hasNames { masks[0][0] |= SubjectState.namesProbe }
        let directions = [Direction.egress, .ingress]
        return SubjectState(
            defaultDeny: directions.map { closing($0).isEnforced },
            defaultDenyAll: directions.map { closing($0).isAmongAll }, probeMask: masks,
            defaultDenyRule: defaultDenyRule, chain: chain)
    }

    /// True if a rule about DNS names has a say here.
    var hasNames: Bool { nameCount > 0 }

    private static func namesName(_ key: CellKey) -> Bool { NumericIdentity.nameRange.contains(key.peer.rawValue) }

    private static func probeIndex(_ key: CellKey) -> Int {
        36 * Int(key.direction.rawValue) + (key.peer == .any ? 18 : 0) + Int(key.prefixLength)
    }
}

/// References in order, each with the number of times it was put in.
struct PolicySet {
    private(set) var sorted: [PolicyReference] = []
    private var counts: [Int] = []

    var isEmpty: Bool { sorted.isEmpty }

    mutating func insert(_ reference: PolicyReference) {
        let index = position(of: reference)
        if index < sorted.count, sorted[index] == reference {
            counts[index] += 1
        } else {
            sorted.insert(reference, at: index)
            counts.insert(1, at: index)
        }
    }

    mutating func remove(_ reference: PolicyReference) {
        let index = position(of: reference)
        guard index < sorted.count, sorted[index] == reference else { return }
        counts[index] -= 1
        guard counts[index] == 0 else { return }
        sorted.remove(at: index)
        counts.remove(at: index)
    }

    private func position(of reference: PolicyReference) -> Int {
        // Policies mostly arrive in order.
        if let last = sorted.last, last < reference { return sorted.count }
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < reference { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
