// SPDX-License-Identifier: Apache-2.0

import PolicyCompiler
import PolicyModel

/// When each rule in force was last met by a packet, by its counter.
///
/// Time is what was watched: seconds during which the kernel counted, not those of the wall clock, which jumps, and not
/// those between two boots, when nothing could hit. A rule that says something else than before is a new one. One entry for
/// each rule in force.
struct RuleUsage: Sendable {
    /// One rule's record; times in watched seconds.
    struct Entry: Codable, Equatable, Sendable {
        /// What the rule says and where in its policy.
        var digest: UInt64
        /// From when on it is watched.
        var since: Int64
        var lastHit: Int64?
        /// The number it had when it was last looked at; nil: none, for it speaks for nobody here.
        var slot: UInt32?
        /// The counter of that number then.
        var packets: UInt64 = 0
    }

    /// As it lies on disk.
    struct File: Codable, Equatable, Sendable {
        static let currentVersion = 1

        var version = File.currentVersion
        /// Counters and the clock begin anew at each boot.
        var bootID = ""
        /// Seconds since boot when it was written.
        var bootSeconds: Int64 = 0
        /// Seconds watched until then, over all boots.
        var watched: Int64 = 0
        var entries: [Entry] = []
    }

    /// Seconds watched so far.
    private(set) var watched: Int64
    private var entries: [UInt64: Entry]
    /// The digests of a policy's rules, and what they were made from.
    private var known: [PolicyReference: (rules: [PolicyRule], digests: [UInt64])] = [:]
    private let bootID: String
    private var bootSeconds: Int64

    /// Goes on where a file ended; nil: begins.
    init(_ stored: File?, bootID: String, bootSeconds: Int64) {
        let file = stored ?? File()
        let isSameBoot = file.bootID == bootID && bootSeconds >= file.bootSeconds
        // The kernel counted while no agent ran.
        watched = file.watched + (isSameBoot ? bootSeconds - file.bootSeconds : 0)
        entries = Dictionary(file.entries.map { ($0.digest, $0) }) { first, _ in first }
        if !isSameBoot {
            for digest in entries.keys { entries[digest]?.packets = 0 }
        }
        self.bootID = bootID
        self.bootSeconds = bootSeconds
    }

    var file: File {
        File(
            bootID: bootID, bootSeconds: bootSeconds, watched: watched,
            entries: entries.values.sorted { $0.digest < $1.digest })
    }

    /// The record of the rule at a position of a policy in force.
    func entry(of reference: PolicyReference, at position: Int) -> Entry? {
        guard let digests = known[reference]?.digests, digests.indices.contains(position) else { return nil }
        return entries[digests[position]]
    }

    /// Looks at the counters.
    ///
    /// `slots`: the number of a rule; nil: it has none. `packets`: what numbers have counted.
    mutating func note(
        _ policies: [PolicyReference: Policy], bootSeconds now: Int64, slots: (PolicyRule) -> UInt32?,
        packets: (Set<UInt32>) throws -> [UInt32: UInt64]
    ) rethrows {
        var numbers: [UInt64: UInt32] = [:]
        var inForce: Set<UInt64> = []
        for (reference, policy) in policies {
            if known[reference]?.rules != policy.rules {
                known[reference] = (policy.rules, policy.rules.map(RuleUsage.digest))
            }
            for (rule, digest) in zip(policy.rules, known[reference]?.digests ?? []) {
                inForce.insert(digest)
                numbers[digest] = slots(rule)
            }
        }
        let counts = try packets(Set(numbers.values))
        watched += max(0, now - bootSeconds)
        bootSeconds = max(bootSeconds, now)
        for reference in known.keys where policies[reference] == nil { known[reference] = nil }
        for digest in entries.keys where !inForce.contains(digest) { entries[digest] = nil }
        for digest in inForce { note(digest, slot: numbers[digest], counts) }
    }

    private mutating func note(_ digest: UInt64, slot: UInt32?, _ counts: [UInt32: UInt64]) {
        guard var entry = entries[digest] else {
            let count = slot.flatMap { counts[$0] } ?? 0
            entries[digest] = Entry(digest: digest, since: watched, slot: slot, packets: count)
            return
        }
        guard let slot, let count = counts[slot] else { return }
        // What moved did so since it was last looked at; a counter that begins anew and is not 0 moved too. Of another
        // number it is unknown how much its former rule had counted.
        if entry.slot == slot || entry.slot == nil, entry.packets != count, count > 0 { entry.lastHit = watched }
        (entry.slot, entry.packets) = (slot, count)
        entries[digest] = entry
    }

    /// A number for what a rule says, the same over restarts; where it stands in its file does not count.
    static func digest(_ rule: PolicyRule) -> UInt64 {
        fnv1a("\(rule.origin.policy.text) \(rule.text) \(rule.isAudit)")
    }
}

/// A number for a text, the same over restarts (FNV-1a).
func fnv1a(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}
