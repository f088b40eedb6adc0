// SPDX-License-Identifier: Apache-2.0

/// One rule of a firewall, whichever tool wrote it down.
struct ImportedRule: Sendable {
    enum Verdict: Hashable, Sendable {
        case accept
        case drop
        case `return`
        case jump(String)
        case goto(String)
        /// Notes something and goes on: LOG, a counter.
        case proceed
    }

    /// States of connection tracking.
    enum State: String, Hashable, Sendable, CaseIterable {
        case new, established, related, invalid, untracked
    }

    /// A device, or all but one.
    struct Device: Hashable, Sendable {
        var name: String
        var isNegated: Bool
    }

    var place: RulePlace
    /// As its tool writes it.
    var text: String
    var source: AddressSpace?
    var destination: AddressSpace?
    var ports: PortSpace?
    var inDevice: Device?
    var outDevice: Device?
    /// Nil: any.
    var states: Set<State>?
    /// The packet that opens a TCP connection only, or any but that one; nil: either.
    var isOpening: Bool?
    var verdict = Verdict.proceed
    /// What a policy cannot say; empty: nothing.
    var problems: [String] = []
    /// True if it was rejected with an answer.
    var isRejecting = false
    /// True if it hands packets to somebody who decides, as a queue does; `problems` says to whom.
    var isDecidedElsewhere = false

    init(place: RulePlace, text: String) {
        self.place = place
        self.text = text
    }

    /// Both must hold.
    mutating func require(_ space: PortSpace) { ports = ports.map { $0.intersection(space) } ?? space }

    /// Both must hold; nil: a problem was told.
    mutating func require(source space: AddressSpace?) {
        guard let space else { return }
        source = both(source, space)
    }

    /// Both must hold; nil: a problem was told.
    mutating func require(destination space: AddressSpace?) {
        guard let space else { return }
        destination = both(destination, space)
    }

    private mutating func both(_ first: AddressSpace?, _ second: AddressSpace) -> AddressSpace {
        guard let first else { return second }
        guard first.prefixes.count * second.prefixes.count <= 4_000_000 else {
            problems.append("two long lists of addresses that must both hold")
            return second
        }
        return first.intersection(second)
    }

    /// Both must hold.
    mutating func require(_ others: Set<State>) { states = states.map { $0.intersection(others) } ?? others }
}

/// Where a rule stands.
package struct RulePlace: Hashable, Sendable {
    package var file: String
    /// In the file, from 1.
    package var line: Int
    package var table: String
    package var chain: String

    /// `filter INPUT, rules.v4:12`.
    package var text: String { "\(table) \(chain), \(file):\(line)" }
}

/// A chain with its rules in order.
struct ImportedChain: Sendable {
    /// Where packets enter it.
    enum Hook: String, Sendable {
        case input
        case output
    }

    var table: String
    var name: String
    /// Families it sees.
    var families: Set<Int>
    /// Nil: only by jumps.
    var hook: Hook?
    /// Why packets that enter it somewhere else are not looked at; nil: no packet enters it but by jumps.
    var elsewhere: String?
    /// Of chains at one hook, the lower comes first.
    var priority = 0
    /// What becomes of packets at its end.
    var isAccepting = true
    var place: RulePlace
    var rules: [ImportedRule] = []

    /// Unique in a ruleset.
    var key: String { ImportedChain.key(families, table, name) }

    static func key(_ families: Set<Int>, _ table: String, _ name: String) -> String {
        "\(families.sorted()) \(table) \(name)"
    }
}

/// All chains of some files, and what is not of this host's own traffic.
struct ImportedRuleset: Sendable {
    var chains: [String: ImportedChain] = [:]
    var notMapped: [ImportNote] = []
    /// Families that some file speaks of.
    var families: Set<Int> = []
}

/// A rule that became no rule of the policy, or not quite, and why.
package struct ImportNote: Hashable, Sendable {
    package var place: RulePlace
    package var rule: String
    package var reason: String

    /// `filter INPUT, rules.v4:12: -A INPUT … : reason`.
    package var text: String { "\(place.text): \(rule): \(reason)" }
}

/// Input that cannot be read.
package struct ImportError: Error, Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var line: Int
    /// Cause and remedy.
    package var message: String

    package var description: String { "\(file):\(line): \(message)" }
}
