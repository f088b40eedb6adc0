// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyReading
import Testing

@testable import FirewallImport

/// Random rulesets, written as iptables-save and as nft's JSON; judged rule by rule here, and by the imported policy.
@Suite struct RandomImportTests {
    /// One rule, as a firewall would follow it.
    private struct Rule {
        var chain: Int
        var source: (CIDR, isNegated: Bool)?
        var proto: (IPProtocol, isNegated: Bool)?
        var ports: ([ClosedRange<Int>], isNegated: Bool)?
        var type: Int?
        var verdict: Int

        static let verdicts = ["ACCEPT", "DROP", "RETURN", "C1", "C2"]

        func matches(_ address: IPAddress, _ proto: IPProtocol, _ port: Int) -> Bool {
            if let source, source.0.contains(address) == source.isNegated { return false }
            if let mine = self.proto, (mine.0 == proto) == mine.isNegated { return false }
            if let ports, ports.0.contains(where: { $0.contains(port) }) == ports.isNegated { return false }
            if let type, type != port { return false }
            return true
        }
    }

    /// 0 is INPUT; 1 and 2 are chains of the user's.
    private struct Ruleset {
        var rules: [Rule] = []
        var isAccepting: Bool

        /// True: accepted; nil: it falls off the chain.
        func verdict(_ chain: Int, _ address: IPAddress, _ proto: IPProtocol, _ port: Int) -> Bool? {
            for rule in rules where rule.chain == chain && rule.matches(address, proto, port) {
                switch Rule.verdicts[rule.verdict] {
                case "ACCEPT": return true
                case "DROP": return false
                case "RETURN": return chain == 0 ? isAccepting : nil
                case let name:
                    let target = name == "C1" ? 1 : 2
                    if let verdict = verdict(target, address, proto, port) { return verdict }
                }
            }
            return chain == 0 ? isAccepting : nil
        }
    }

    private static let names = [IPProtocol.tcp: "tcp", .udp: "udp", .icmp: "icmp", .sctp: "sctp"]

    private func random(_ random: inout SeededGenerator) -> Ruleset {
        var ruleset = Ruleset(isAccepting: Bool.random(using: &random))
        for _ in 0..<Int.random(in: 0...9, using: &random) {
            let chain = Int.random(in: 0...2, using: &random)
            // Chains lead on to higher ones only.
            var rule = Rule(
                chain: chain, verdict: [0, 0, 1, 1, 2, 3, 4].randomElement(using: &random) ?? 0)
            if rule.verdict >= 3, rule.verdict - 2 <= chain { rule.verdict = 0 }
            if Int.random(in: 0...2, using: &random) > 0 {
                let length = [0, 1, 8, 16, 24, 31, 32].randomElement(using: &random) ?? 8
                let bits: UInt32 =
                    [0x0a00_0001, 0x0a00_0105, 0x0a01_0203, 0xc000_0201, 0x8000_0001].randomElement(
                        using: &random) ?? 0
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
                    Array(ranges.prefix(Int.random(in: 1...2, using: &random))),
                    Int.random(in: 0...3, using: &random) == 0
                )
            }
            ruleset.rules.append(rule)
        }
        return ruleset
    }

    private func save(_ ruleset: Ruleset) -> String {
        let chains = ["INPUT", "C1", "C2"]
        var lines = [
            "*filter", ":INPUT \(ruleset.isAccepting ? "ACCEPT" : "DROP") [0:0]", ":C1 - [0:0]", ":C2 - [0:0]",
        ]
        for rule in ruleset.rules {
            var words = ["-A", chains[rule.chain]]
            if let source = rule.source { words += (source.isNegated ? ["!"] : []) + ["-s", "\(source.0)"] }
            if let proto = rule.proto { words += (proto.isNegated ? ["!"] : []) + ["-p", Self.names[proto.0] ?? ""] }
            if let type = rule.type { words += ["-m", "icmp", "--icmp-type", "\(type)"] }
            if let ports = rule.ports {
                let list = ports.0.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound):\($0.upperBound)" }
                words +=
                    ["-m", "multiport"] + (ports.isNegated ? ["!"] : []) + ["--dports", list.joined(separator: ",")]
            }
            lines.append((words + ["-j", Rule.verdicts[rule.verdict]]).joined(separator: " "))
        }
        return (lines + ["COMMIT", ""]).joined(separator: "\n")
    }

    private func json(_ ruleset: Ruleset) -> String {
        let table = #""family": "ip", "table": "filter""#
        var objects = [
            #"{"chain": {\#(table), "name": "INPUT", "type": "filter", "hook": "input", "prio": 0, "policy": "\#(ruleset.isAccepting ? "accept" : "drop")"}}"#,
            #"{"chain": {\#(table), "name": "C1"}}"#, #"{"chain": {\#(table), "name": "C2"}}"#,
        ]
        func match(_ left: String, _ right: String, _ isNegated: Bool) -> String {
            #"{"match": {"op": "\#(isNegated ? "!=" : "==")", "left": \#(left), "right": \#(right)}}"#
        }
        for (number, rule) in ruleset.rules.enumerated() {
            var parts: [String] = []
            if let source = rule.source {
                let prefix = #"{"prefix": {"addr": "\#(source.0.address)", "len": \#(source.0.length)}}"#
                parts.append(match(#"{"payload": {"protocol": "ip", "field": "saddr"}}"#, prefix, source.isNegated))
            }
            if let proto = rule.proto {
                parts.append(
                    match(#"{"meta": {"key": "l4proto"}}"#, "\"\(Self.names[proto.0] ?? "")\"", proto.isNegated))
                if let type = rule.type {
                    parts.append(match(#"{"payload": {"protocol": "icmp", "field": "type"}}"#, "\(type)", false))
                }
                if let ports = rule.ports {
                    let list = ports.0.map {
                        $0.count == 1 ? "\($0.lowerBound)" : #"{"range": [\#($0.lowerBound), \#($0.upperBound)]}"#
                    }
                    let left = #"{"payload": {"protocol": "\#(Self.names[proto.0] ?? "")", "field": "dport"}}"#
                    parts.append(match(left, #"{"set": [\#(list.joined(separator: ", "))]}"#, ports.isNegated))
                }
            }
            let target = Rule.verdicts[rule.verdict]
            parts.append(
                rule.verdict < 3 ? #"{"\#(target.lowercased())": null}"# : #"{"jump": {"target": "\#(target)"}}"#)
            let chain = ["INPUT", "C1", "C2"][rule.chain]
            objects.append(
                #"{"rule": {\#(table), "chain": "\#(chain)", "handle": \#(number), "expr": [\#(parts.joined(separator: ", "))]}}"#
            )
        }
        return #"{"nftables": [\#(objects.joined(separator: ", "))]}"#
    }

    private static let addresses = [
        "10.0.0.1", "10.0.0.2", "10.0.1.5", "10.0.1.4", "10.1.2.3", "10.200.0.1", "192.0.2.1", "192.0.2.2", "128.0.0.1",
        "1.1.1.1", "203.0.113.9",
    ]
    private static let packets: [(IPProtocol, Int)] = [
        (.tcp, 22), (.tcp, 80), (.tcp, 85), (.tcp, 91), (.tcp, 1005), (.tcp, 443), (.udp, 22), (.udp, 1000), (.udp, 5),
        (.sctp, 80), (.sctp, 99), (.icmp, 0), (.icmp, 3), (.icmp, 8), (.icmp, 13), (IPProtocol(rawValue: 47), 0),
    ]

    @Test func `the imported policy judges as the rules do, from either format`() throws {
        var generator = SeededGenerator(seed: 20_261_121)
        var differences: [String] = []
        for _ in 0..<300 {
            let ruleset = random(&generator)
            for text in [save(ruleset), json(ruleset)] {
                let imported = try FirewallImport([.init(name: "rules", bytes: Array(text.utf8))])
                let yaml = imported.policy.joined(separator: "\n") + "\n"
                let set = PolicyReader().read(bytes: Array(yaml.utf8), file: "imported.yaml")
                try #require(!set.diagnostics.hasErrors, "\(set.diagnostics.rendered)\n\(text)")
                let explainer = Explainer(policies: set.policies)
                let host = ExplainedSide.host(IPAddress("198.51.100.1"), isEndpoint: true)
                for name in Self.addresses {
                    let address = try #require(IPAddress(name))
                    for (proto, port) in Self.packets {
                        let expected = ruleset.verdict(0, address, proto, port) ?? ruleset.isAccepting
                        let isICMP = proto == .icmp
                        let number = proto.rawValue == 47 ? nil : UInt16(isICMP ? port << 8 : port)
                        let verdict = explainer.explain(
                            from: .world(address), to: host, proto: proto, port: number
                        ).verdict
                        guard (verdict == .allow) != expected else { continue }
                        differences.append("\(name) \(proto)/\(port): \(verdict)\n\(text)\n\(yaml)")
                    }
                }
                // What has no rule of its own is told, and nothing of these is beyond a policy.
                #expect(imported.notMapped.allSatisfy { $0.reason.contains("no packet") }, "\(imported.notMapped)")
            }
        }
        #expect(differences.prefix(1) == [])
    }

    @Test func `bytes that are no rules end in an error or a result, never in a crash`() throws {
        var generator = SeededGenerator(seed: 7)
        for round in 0..<400 {
            let ruleset = random(&generator)
            var bytes = Array((round % 2 == 0 ? save(ruleset) : json(ruleset)).utf8)
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.removeSubrange(index..<min(bytes.count, index + 40))
                }
            }
            do throws(ImportError) {
                let imported = try FirewallImport([.init(name: "x", bytes: bytes)])
                let yaml = imported.policy.joined(separator: "\n") + "\n"
                let set = PolicyReader().read(bytes: Array(yaml.utf8), file: "imported.yaml")
                #expect(!set.diagnostics.hasErrors, "\(set.diagnostics.rendered)\n\(yaml)")
            } catch {
                #expect(error.line >= 1 && !error.message.isEmpty)
            }
        }
    }
}

/// The same numbers for the same seed (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
