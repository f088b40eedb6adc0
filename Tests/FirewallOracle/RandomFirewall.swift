// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// A random ruleset for the host itself: what the tools are given, and what it means, rule by rule.
///
/// Chain 0 is INPUT; 1 and 2 are chains of the user's.
package struct RandomFirewall {
    struct Rule {
        var chain: Int
        var source: (CIDR, isNegated: Bool)?
        var proto: (IPProtocol, isNegated: Bool)?
        var ports: ([ClosedRange<Int>], isNegated: Bool)?
        var type: Int?
        var verdict: Int

        static let verdicts = ["ACCEPT", "DROP", "RETURN", "C1", "C2"]

        func matches(_ packet: Packet) -> Bool {
            if let source, source.0.contains(packet.source) == source.isNegated { return false }
            if let mine = self.proto, (mine.0 == packet.proto) == mine.isNegated { return false }
            if let ports, ports.0.contains(where: { $0.contains(packet.port) }) == ports.isNegated { return false }
            if let type, type != packet.port { return false }
            return true
        }
    }

    /// What comes in.
    package struct Packet: Hashable, Sendable {
        package var source: IPAddress
        package var proto: IPProtocol
        /// Destination port, or type of ICMP.
        package var port: Int
    }

    var rules: [Rule] = []
    /// What becomes of a packet that no rule decides.
    var isAccepting: Bool

    /// Whether the packet comes in.
    package func accepts(_ packet: Packet) -> Bool { verdict(0, packet) ?? isAccepting }

    /// Nil: it falls off the chain.
    private func verdict(_ chain: Int, _ packet: Packet) -> Bool? {
        for rule in rules where rule.chain == chain && rule.matches(packet) {
            switch Rule.verdicts[rule.verdict] {
            case "ACCEPT": return true
            case "DROP": return false
            case "RETURN": return nil
            case let name: if let verdict = verdict(name == "C1" ? 1 : 2, packet) { return verdict }
            }
        }
        return nil
    }

    /// Packets at the edges of what rules are about.
    package static let packets: [Packet] = [
        "10.0.0.1", "10.0.0.2", "10.0.1.5", "10.0.1.4", "10.1.2.3", "10.200.0.1", "192.0.2.1", "192.0.2.2",
        "128.0.0.1", "1.1.1.1", "203.0.113.9",
    ].compactMap(IPAddress.init).flatMap { source in
        traffic.map { Packet(source: source, proto: $0.0, port: $0.1) }
    }

    private static let traffic: [(IPProtocol, Int)] = [
        (.tcp, 22), (.tcp, 80), (.tcp, 85), (.tcp, 91), (.tcp, 1005), (.tcp, 443), (.udp, 22), (.udp, 1000), (.udp, 5),
        (.sctp, 80), (.sctp, 99), (.icmp, 0), (.icmp, 3), (.icmp, 8), (.icmp, 13), (IPProtocol(rawValue: 47), 0),
    ]
}

extension RandomFirewall {
    /// Draws a ruleset.
    package init(_ random: inout SeededGenerator) {
        self.init(isAccepting: Bool.random(using: &random))
        for _ in 0..<Int.random(in: 0...9, using: &random) { rules.append(RandomFirewall.rule(&random)) }
    }

    private static func rule(_ random: inout SeededGenerator) -> Rule {
        let chain = Int.random(in: 0...2, using: &random)
        // Chains lead on to higher ones only.
        var rule = Rule(chain: chain, verdict: [0, 0, 1, 1, 2, 3, 4].randomElement(using: &random) ?? 0)
        if rule.verdict >= 3, rule.verdict - 2 <= chain { rule.verdict = 0 }
        if Int.random(in: 0...2, using: &random) > 0 {
            let length = [0, 1, 8, 16, 24, 31, 32].randomElement(using: &random) ?? 8
            let bits: UInt32 =
                [0x0a00_0001, 0x0a00_0105, 0x0a01_0203, 0xc000_0201, 0x8000_0001].randomElement(using: &random) ?? 0
            rule.source = (CIDR(IPAddress(v4: bits), length: length), Int.random(in: 0...3, using: &random) == 0)
        }
        switch Int.random(in: 0...5, using: &random) {
        case 0: break
        case 1: rule.proto = (.icmp, false)
        case 2:
            rule.proto = (.icmp, false)
            rule.type = [0, 8, 3].randomElement(using: &random)
        case 3: rule.proto = (.tcp, Bool.random(using: &random))
        default:
            rule.proto = ([.tcp, .udp, .sctp].randomElement(using: &random) ?? .tcp, false)
            let first = [22, 80, 1000].randomElement(using: &random) ?? 1
            let ranges = [first...(first + (Bool.random(using: &random) ? 0 : 10)), 90...95]
            rule.ports = (
                Array(ranges.prefix(Int.random(in: 1...2, using: &random))), Int.random(in: 0...3, using: &random) == 0
            )
        }
        return rule
    }
}

/// The same numbers for the same seed (SplitMix64).
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
