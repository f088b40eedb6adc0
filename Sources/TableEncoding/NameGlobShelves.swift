// SPDX-License-Identifier: Apache-2.0
package import CDatapathABI
package import NetworkModel

/// Which automaton each pattern of one suffix is part of.
///
/// Automata are replaced one at a time while programs read them, so a pattern keeps its own for as long as it is there.
package struct NameGlobShelves: Hashable, Sendable {
    /// The patterns of each automaton; none where one became empty.
    package private(set) var patterns: [[NameGlob]] = []

    package init() {}

    /// Those that an earlier agent has written.
    package init(restoring patterns: [[NameGlob]]) { self.patterns = patterns }

    /// Makes these the patterns: what goes makes room, what comes takes the first place with room.
    ///
    /// `NameGlob.countMax` of them always have room.
    package mutating func update(to wanted: Set<NameGlob>) {
        patterns = patterns.map { $0.filter(wanted.contains) }
        for glob in wanted.subtracting(patterns.joined()).sorted(by: { $0.description < $1.description }) {
            let index = patterns.firstIndex { NameGlobShelves.hasRoom($0, for: glob) } ?? patterns.count
            if index == patterns.count { patterns.append([]) }
            patterns[index].append(glob)
        }
        while patterns.last?.isEmpty ?? false { patterns.removeLast() }
    }

    private static func hasRoom(_ shelf: [NameGlob], for glob: NameGlob) -> Bool {
        shelf.count < Int(FQDN_GLOB_PATTERNS)
            && shelf.reduce(glob.stateCount) { $0 + $1.stateCount } <= NameGlob.stateCountMax
    }
}

extension fqdn_glob {
    /// The automaton of some patterns, each with its number.
    ///
    /// They take `NameGlob.stateCountMax` states at most, and are `FQDN_GLOB_PATTERNS` at most.
    package init(_ patterns: [(glob: NameGlob, number: UInt32)]) {
        self.init()
        var accepts: [UInt64] = [], waiting = [UInt64](repeating: 0, count: Int(FQDN_SYMBOLS))
        var state: UInt64 = 1
        for (glob, _) in patterns {
            start |= state
            for (index, label) in glob.labels.enumerated() {
                // The end of the label before.
                if index > 0 {
                    waiting[0] |= state
                    state <<= 1
                }
                if label == "**" { anywhere |= state }
                for byte in label.utf8 {
                    if byte == UInt8(ascii: "*") {
                        in_label |= state
                    } else {
                        waiting[Int(fqdn_symbol(UInt32(byte)) & (UInt32(FQDN_SYMBOLS) - 1))] |= state
                        state <<= 1
                    }
                }
            }
            accepts.append(state)
            state <<= 1
        }
        unsafe withUnsafeMutableBytes(of: &accept) { to in
            unsafe accepts.withUnsafeBytes { unsafe to.copyBytes(from: $0) }
        }
        unsafe withUnsafeMutableBytes(of: &numbers) { to in
            unsafe patterns.map(\.number).withUnsafeBytes { unsafe to.copyBytes(from: $0) }
        }
        unsafe withUnsafeMutableBytes(of: &advance) { to in
            unsafe waiting.withUnsafeBytes { unsafe to.copyBytes(from: $0) }
        }
    }

    /// The patterns that it stands for, with their numbers.
    package var patterns: [(glob: NameGlob, number: UInt32)] {
        let accepts = unsafe withUnsafeBytes(of: accept) { unsafe Array($0.bindMemory(to: UInt64.self)) }
        let waiting = unsafe withUnsafeBytes(of: advance) { unsafe Array($0.bindMemory(to: UInt64.self)) }
        let numbers = unsafe withUnsafeBytes(of: self.numbers) { unsafe Array($0.bindMemory(to: UInt32.self)) }
        var first = 0
        return zip(accepts, numbers).compactMap { last, number in
            guard last != 0, last.trailingZeroBitCount >= first else { return nil }
            let text = (first...last.trailingZeroBitCount).map { fqdn_glob.text(of: 1 << UInt64($0), self, waiting) }
            first = last.trailingZeroBitCount + 1
            return NameSelector(text.joined())?.glob.map { ($0, number) }
        }
    }

    /// What a state stays for, and waits for.
    private static func text(of state: UInt64, _ own: fqdn_glob, _ waiting: [UInt64]) -> String {
        let stay = own.anywhere & state != 0 ? "**" : own.in_label & state != 0 ? "*" : ""
        let next = (UInt8(ascii: "-")...UInt8(ascii: "z")).first { byte in
            byte == UInt8(ascii: ".")
                ? waiting[0] & state != 0
                : DomainName(String(Unicode.Scalar(byte))) != nil && !(65...90).contains(byte)
                    && waiting[Int(fqdn_symbol(UInt32(byte)) & (UInt32(FQDN_SYMBOLS) - 1))] & state != 0
        }
        return stay + (next.map { String(Unicode.Scalar($0)) } ?? "")
    }
}
