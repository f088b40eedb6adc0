// SPDX-License-Identifier: Apache-2.0

import NetworkModel

extension RandomFirewall {
    private static let names = [IPProtocol.tcp: "tcp", .udp: "udp", .icmp: "icmp", .sctp: "sctp"]
    private static let chains = ["INPUT", "C1", "C2"]

    /// As `iptables-save` prints it, and `iptables-restore` takes it.
    package var saved: String {
        var lines = [
            "*filter", ":INPUT \(isAccepting ? "ACCEPT" : "DROP") [0:0]", ":C1 - [0:0]", ":C2 - [0:0]",
        ]
        for rule in rules {
            var words = ["-A", Self.chains[rule.chain]]
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

    /// As `nft -j list ruleset` prints it.
    package var json: String {
        let table = #""family": "ip", "table": "filter""#
        let policy = isAccepting ? "accept" : "drop"
        var objects = [
            #"{"chain": {\#(table), "name": "INPUT", "type": "filter", "hook": "input", "prio": 0, "policy": "\#(policy)"}}"#,
            #"{"chain": {\#(table), "name": "C1"}}"#, #"{"chain": {\#(table), "name": "C2"}}"#,
        ]
        for (number, rule) in rules.enumerated() {
            let target = Rule.verdicts[rule.verdict]
            let verdict =
                rule.verdict < 3 ? #"{"\#(target.lowercased())": null}"# : #"{"jump": {"target": "\#(target)"}}"#
            let expressions = (Self.matches(of: rule) + [verdict]).joined(separator: ", ")
            objects.append(
                #"{"rule": {\#(table), "chain": "\#(Self.chains[rule.chain])", "handle": \#(number), "expr": [\#(expressions)]}}"#
            )
        }
        return #"{"nftables": [\#(objects.joined(separator: ", "))]}"#
    }

    private static func matches(of rule: Rule) -> [String] {
        func match(_ left: String, _ right: String, _ isNegated: Bool) -> String {
            #"{"match": {"op": "\#(isNegated ? "!=" : "==")", "left": \#(left), "right": \#(right)}}"#
        }
        var parts: [String] = []
        if let source = rule.source {
            let prefix = #"{"prefix": {"addr": "\#(source.0.address)", "len": \#(source.0.length)}}"#
            parts.append(match(#"{"payload": {"protocol": "ip", "field": "saddr"}}"#, prefix, source.isNegated))
        }
        guard let proto = rule.proto else { return parts }
        let name = names[proto.0] ?? ""
        parts.append(match(#"{"meta": {"key": "l4proto"}}"#, "\"\(name)\"", proto.isNegated))
        if let type = rule.type {
            parts.append(match(#"{"payload": {"protocol": "icmp", "field": "type"}}"#, "\(type)", false))
        }
        if let ports = rule.ports {
            let list = ports.0.map {
                $0.count == 1 ? "\($0.lowerBound)" : #"{"range": [\#($0.lowerBound), \#($0.upperBound)]}"#
            }
            let left = #"{"payload": {"protocol": "\#(name)", "field": "dport"}}"#
            parts.append(match(left, #"{"set": [\#(list.joined(separator: ", "))]}"#, ports.isNegated))
        }
        return parts
    }
}
