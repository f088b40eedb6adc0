// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import LinuxHost
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyReading
import Testing

@testable import FirewallImport

@Suite struct FirewallImportTests {
    private func imported(
        _ text: String, _ options: FirewallImport.Options = .init()
    ) throws -> FirewallImport {
        try FirewallImport([.init(name: "rules", bytes: Array(text.utf8))], options: options)
    }

    /// A filter table with these rules and policies.
    private static func save(_ rules: String, input: String = "DROP", output: String = "ACCEPT") -> String {
        "*filter\n:INPUT \(input) [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT \(output) [0:0]\n:USER - [0:0]\n\(rules)\nCOMMIT\n"
    }

    private func read(_ imported: FirewallImport) throws -> [Policy] {
        let bytes = Array((imported.policy.joined(separator: "\n") + "\n").utf8)
        let set = PolicyReader().read(bytes: bytes, file: "imported.yaml")
        #expect(set.diagnostics.filter { $0.severity == .error }.map(\.description) == [])
        return set.policies
    }

    private func verdict(
        _ imported: FirewallImport, _ address: String, _ proto: IPProtocol, _ port: UInt16?,
        _ direction: Direction = .ingress, to own: String = "198.51.100.1"
    ) throws -> Explanation.Verdict {
        let explainer = Explainer(policies: try read(imported))
        let world = ExplainedSide.world(IPAddress(address))
        let host = ExplainedSide.host(IPAddress(own), isEndpoint: true)
        return direction == .ingress
            ? explainer.explain(from: world, to: host, proto: proto, port: port).verdict
            : explainer.explain(from: host, to: world, proto: proto, port: port).verdict
    }

    @Test func `a rule that only takes from later ones is listed`() throws {
        let result = try imported(
            Self.save(
                """
                -A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j DROP
                -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
                -A INPUT -j DROP
                -A OUTPUT -d 192.0.2.9/32 -j ACCEPT
                -A OUTPUT -d 192.0.2.0/24 -j DROP
                """))
        #expect(result.notMapped == [])
        let listed = result.understood.map { "\($0.place.line) \($0.reason.prefix(12))" }
        #expect(listed == ["6 denied as ev", "8 denied as ev", "9 allowed as e"])
    }

    @Test func `what nft prints for people is told from what it prints for programs`() {
        let error = #expect(throws: ImportError.self) { try imported("table ip filter {\n}\n") }
        #expect(error?.message.contains("nft -j list ruleset") == true)
    }

    @Test func `rules that accept become elements that name their source`() throws {
        let result = try imported(
            Self.save(
                """
                -A INPUT -i lo -j ACCEPT
                -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
                -A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j ACCEPT
                """))
        #expect(
            result.policy.drop { !$0.hasPrefix("apiVersion") } == [
                "apiVersion: cilium.io/v2", "kind: CiliumClusterwideNetworkPolicy", "metadata:",
                "  name: imported-firewall", "spec:", "  nodeSelector: {}", "  ingress:",
                "    # filter INPUT, rules:8: -A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j ACCEPT",
                "    - fromCIDR:", "        - \"192.0.2.0/24\"", "      toPorts:",
                "        - ports: [{port: \"22\", protocol: TCP}]",
                "    # IPv6 is not in the input: it stays open. Import its rules in the same command.",
                "    - fromCIDR:", "        - ::/0",
            ])
        #expect(result.notMapped == [] && result.understood.count == 2)
        #expect(try verdict(result, "192.0.2.9", .tcp, 22) == .allow)
        #expect(try verdict(result, "192.0.3.9", .tcp, 22) == .deny)
        #expect(try verdict(result, "2001:db8::1", .tcp, 99) == .allow, "nothing was said of IPv6")
        #expect(try verdict(result, "192.0.2.9", .tcp, 22, .egress) == .allow)
    }

    @Test func `the first match wins, though deny beats allow in the policy`() throws {
        let result = try imported(
            Self.save(
                """
                -A INPUT -s 192.0.2.1/32 -j ACCEPT
                -A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j DROP
                -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
                -A INPUT -s 192.0.2.0/24 -j ACCEPT
                """))
        #expect(try verdict(result, "192.0.2.1", .tcp, 22) == .allow)
        #expect(try verdict(result, "192.0.2.2", .tcp, 22) == .deny)
        #expect(try verdict(result, "192.0.2.2", .tcp, 23) == .allow)
        #expect(try verdict(result, "192.0.2.2", IPProtocol(rawValue: 47), nil) == .allow, "every protocol")
        #expect(try verdict(result, "203.0.113.1", .tcp, 22) == .allow)
        #expect(try verdict(result, "203.0.113.1", .tcp, 23) == .deny)
    }

    @Test func `a policy that accepts stays open but for what is dropped`() throws {
        let result = try imported(
            Self.save(
                "-A INPUT -s 203.0.113.0/24 -j DROP\n-A INPUT -p tcp -m tcp --dport 23 -j REJECT", input: "ACCEPT"))
        #expect(result.policy.contains("  enableDefaultDeny: {ingress: false}"))
        #expect(!result.policy.contains("  ingress:"))
        #expect(try verdict(result, "203.0.113.1", .udp, 53) == .deny)
        #expect(try verdict(result, "192.0.2.1", .tcp, 23) == .deny)
        #expect(try verdict(result, "192.0.2.1", .tcp, 24) == .allow)
        #expect(result.understood.contains { $0.reason.contains("without an answer") })
    }

    @Test func `user chains are followed, and returns lead back`() throws {
        let result = try imported(
            Self.save(
                """
                -A INPUT -p tcp -m multiport --dports 80,8000:8010 -j USER
                -A INPUT -p tcp -m tcp --dport 80 -s 10.1.0.0/16 -j ACCEPT
                -A USER ! -s 10.0.0.0/8 -j RETURN
                -A USER -s 10.1.0.0/16 -j RETURN
                -A USER -j ACCEPT
                """))
        #expect(try verdict(result, "10.2.0.1", .tcp, 8005) == .allow)
        #expect(try verdict(result, "10.1.0.1", .tcp, 8005) == .deny)
        #expect(try verdict(result, "10.1.0.1", .tcp, 80) == .allow)
        #expect(try verdict(result, "11.0.0.1", .tcp, 80) == .deny)
    }

    @Test(
        "what a policy cannot say is listed with its reason",
        arguments: [
            ("-A INPUT -p tcp --sport 53 -j ACCEPT", "source ports"),
            ("-A INPUT -i eth0 -j ACCEPT", "--device"), ("-A INPUT -d 192.0.2.1/32 -j ACCEPT", "own addresses"),
            ("-A INPUT -m set --match-set bad src -j DROP", "ipset"),
            ("-A INPUT -m limit --limit 5/min -j ACCEPT", "limit"),
            ("-A INPUT -p gre -j ACCEPT", "protocol gre"), ("-A INPUT -p icmp --icmp-type 3/4 -j ACCEPT", "codes"),
            ("-A INPUT -m conntrack --ctstate INVALID -j DROP", "open a flow"),
            ("-A INPUT -p tcp --tcp-flags ALL NONE -j DROP", "TCP flags"), ("-A INPUT -j MARK --set-mark 1", "MARK"),
            ("-A FORWARD -j DROP", "forwarded"), ("-A USER -j ACCEPT", "no rule at input or output"),
            ("-A INPUT -p tcp --dport http -j ACCEPT", "not a port"),
        ])
    func lists(rule: String, reason: String) throws {
        let result = try imported(Self.save(rule))
        #expect(result.notMapped.map(\.place.line) == [6] && result.notMapped.first?.reason.contains(reason) == true)
        #expect(result.notMapped.first?.rule == rule)
        #expect(result.policy.contains { $0.hasPrefix("#   filter ") && $0.contains(rule) })
    }

    @Test func `tables that change packets are listed rule by rule`() throws {
        let text = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j REDIRECT --to-ports 2\nCOMMIT\n"
        let result = try imported(text)
        #expect(
            result.notMapped.map(\.text) == [
                "nat PREROUTING, rules:3: -A PREROUTING -p tcp -j REDIRECT --to-ports 2: table nat changes packets, it does not "
                    + "judge them; keep it where it is"
            ])
        #expect(try read(result).isEmpty)
    }

    @Test(
        "a chain at another hook is listed with what its hook sees",
        arguments: [
            ("inet", "filter", "prerouting", "drop", "its hook sees forwarded packets along with the host's own"),
            ("ip", "filter", "prerouting", "accept", "its hook sees forwarded packets along with the host's own"),
            ("ip6", "filter", "postrouting", "accept", "its hook sees forwarded packets along with the host's own"),
            ("inet", "filter", "forward", "accept", "forwarded traffic is not the host's own"),
            ("arp", "filter", "input", "drop", "its family is not IP"),
            ("netdev", "filter", "ingress", "drop", "its hook sees frames at a device"),
            ("ip", "nat", "prerouting", "accept", "it changes packets, it does not judge them"),
        ])
    func listsHook(family: String, type: String, hook: String, policy: String, reason: String) throws {
        let place = #""family": "\#(family)", "table": "t""#
        let result = try imported(
            #"{"nftables": [{"chain": {\#(place), "name": "c", "type": "\#(type)", "hook": "\#(hook)", "prio": -300, "#
                + #""policy": "\#(policy)"}}, {"rule": {\#(place), "chain": "c", "handle": 4, "expr": [\#(Self.dport), "#
                + #"{"drop": null}]}}]}"#)
        #expect(result.notMapped.count == (policy == "drop" ? 2 : 1))
        #expect(result.notMapped.allSatisfy { $0.reason.hasPrefix(reason) })
    }

    @Test func `with a device, rules about it are mapped`() throws {
        let rules =
            "-A INPUT -i eth0 -p tcp --dport 22 -j ACCEPT\n-A INPUT -i eth1 -j ACCEPT\n-A INPUT ! -i lo -p udp --dport 9 -j ACCEPT"
        let result = try imported(Self.save(rules), .init(device: "eth0"))
        #expect(result.notMapped.map(\.place.line) == [7])
        #expect(try verdict(result, "192.0.2.1", .tcp, 22) == .allow)
        #expect(try verdict(result, "192.0.2.1", .udp, 9) == .allow)
        #expect(try verdict(result, "192.0.2.1", .tcp, 23) == .deny)
    }

    @Test func `both families are imported together`() throws {
        let four = Self.save("-A INPUT -p tcp --dport 22 -j ACCEPT")
        let six =
            "# Generated by ip6tables-save\n"
            + Self.save("-A INPUT -s 2001:db8::/32 -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT")
        let result = try FirewallImport([
            .init(name: "4", bytes: Array(four.utf8)), .init(name: "6", bytes: Array(six.utf8)),
        ])
        #expect(try verdict(result, "2001:db8::1", .icmpv6, 128 << 8) == .allow)
        #expect(try verdict(result, "2001:db8::1", .tcp, 22) == .deny)
        #expect(try verdict(result, "192.0.2.1", .tcp, 22) == .allow)
        #expect(try verdict(result, "192.0.2.1", .tcp, 21) == .deny)
    }

    @Test(
        "input that cannot be read is an error with its line",
        arguments: [
            ("", 1), ("hello", 1), ("*filter\n:INPUT DROP [0:0]\n-A INPUT -j ACCEPT\n", 1),
            ("*filter\n:INPUT DROP [0:0]\n*nat\nCOMMIT\n", 1),
            ("*filter\n:INPUT DROP [0:0]\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", 5),
            ("*filter\n:INPUT DROP [0:0]\n-A NONE -j DROP", 3),
            ("*filter\n:INPUT DROP [0:0]\n-A INPUT -m comment --comment \"x -j DROP", 3), ("{\"nftables\": 3}", 1),
            ("{\"nftables\": [", 2), ("{}", 1), (":INPUT DROP", 1),
        ])
    func refuses(text: String, line: Int) throws {
        let error = #expect(throws: ImportError.self) { try imported(text) }
        #expect(error?.line == line)
    }

    /// A base chain at hook input that drops, chain `svc`, and these rules of the two, each a list of expressions.
    private static func nft(_ rules: [String], svc: [String] = [], objects: String = "") -> String {
        let place = #""family": "inet", "table": "f""#
        let all =
            rules.enumerated().map { #"{"rule": {\#(place), "chain": "in", "handle": \#($0 + 10), "expr": [\#($1)]}}"# }
            + svc.map { #"{"rule": {\#(place), "chain": "svc", "expr": [\#($0)]}}"# }
        return #"{"nftables": [{"chain": {\#(place), "name": "in", "type": "filter", "hook": "input", "prio": 0, "#
            + #""policy": "drop"}}, {"chain": {\#(place), "name": "svc"}}, \#(objects)\#(all.joined(separator: ", "))]}"#
    }

    private static let dport = #"{"payload": {"protocol": "tcp", "field": "dport"}}"#

    @Test func `a map of verdicts is a rule for each of its elements`() throws {
        let result = try imported(
            Self.nft(
                [
                    #"{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"drop": null}], "#
                        + #"["established", {"accept": null}]]}}}"#,
                    #"{"vmap": {"key": \#(Self.dport), "data": "@m"}}"#,
                    #"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "192.0.2.1"}}, "#
                        + #"{"vmap": {"key": \#(Self.dport), "data": {"set": [[23, {"accept": null}], [{"range": [80, 81]}, "#
                        + #"{"jump": {"target": "svc"}}]]}}}"#,
                    #"{"vmap": {"key": {"concat": [\#(Self.dport)]}, "data": {"set": [[{"concat": [1]}, {"accept": null}]]}}}"#,
                    #"{"vmap": {"key": \#(Self.dport), "data": "@none"}}"#, #"{"queue": null}"#,
                ], svc: [#"{"accept": null}"#],
                objects: #"{"map": {"family": "inet", "table": "f", "name": "m", "elem": [[22, {"accept": null}], "#
                    + #"[23, {"drop": null}]]}}, "#))
        #expect(try verdict(result, "192.0.2.1", .tcp, 22) == .allow)
        #expect(try verdict(result, "192.0.2.1", .tcp, 23) == .deny, "the first map drops it")
        #expect(try verdict(result, "192.0.2.1", .tcp, 81) == .allow)
        #expect(try verdict(result, "192.0.2.2", .tcp, 81) == .deny)
        let told = result.policy.filter { $0.hasPrefix("#   inet f in") }
        for (handle, reason) in [
            (10, "(invalid: drop): policies judge"), (13, "a match on concat"), (14, "an empty map"), (15, "queue"),
        ] {
            #expect(told.contains { $0.contains("handle \(handle),") && $0.contains(reason) }, "\(told)")
        }
        #expect(!told.contains { $0.contains("it decides nothing:") })
    }

    @Test func `rules that share a long map of verdicts end in an error`() throws {
        let elements = (1...5000).map { #"[\#($0), {"drop": null}]"# }.joined(separator: ", ")
        let rule = #"{"vmap": {"key": \#(Self.dport), "data": "@m"}}"#
        let map = #"{"map": {"family": "inet", "table": "f", "name": "m", "elem": [\#(elements)]}}, "#
        let error = #expect(throws: ImportError.self) {
            _ = try imported(Self.nft([String](repeating: rule, count: 11), objects: map))
        }
        #expect(error?.message.contains("50000 rules") == true)
    }

    @Test func `two matches on one field must both hold`() throws {
        let source = #""left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": "#
        let state = #""left": {"ct": {"key": "state"}}, "right": "#
        let result = try imported(
            Self.nft([
                #"{"match": {"op": "==", \#(source){"addr": "10.0.0.0", "len": 8}}}}, "#
                    + #"{"match": {"op": "!=", \#(source){"addr": "10.1.0.0", "len": 16}}}}, "#
                    + #"{"match": {"op": "in", \#(state)["established", "new"]}}, {"match": {"op": "in", \#(state)"new"}}, "#
                    + #"{"accept": null}"#
            ]))
        #expect(try verdict(result, "10.2.0.1", .tcp, 1) == .allow)
        #expect(try verdict(result, "10.1.0.1", .tcp, 1) == .deny)
        #expect(try verdict(result, "11.0.0.1", .tcp, 1) == .deny)
    }

    @Test func `a field of one family's header says nothing of the other family`() throws {
        let result = try imported(
            Self.nft([
                #"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "protocol"}}, "right": "tcp"}}, "#
                    + #"{"drop": null}"#,
                #"{"match": {"op": "!=", "left": {"payload": {"protocol": "ip6", "field": "nexthdr"}}, "right": "udp"}}, "#
                    + #"{"accept": null}"#,
            ]))
        #expect(try verdict(result, "192.0.2.1", .tcp, 1) == .deny)
        #expect(try verdict(result, "2001:db8::1", .tcp, 1, to: "2001:db8::2") == .allow)
        #expect(try verdict(result, "2001:db8::1", .udp, 1, to: "2001:db8::2") == .deny)
        #expect(try verdict(result, "192.0.2.1", .sctp, 1) == .deny)
    }

    @Test func `a loop of chains ends in an error`() throws {
        let error = #expect(throws: ImportError.self) {
            try imported(Self.save("-A INPUT -j USER\n-A USER -j USER"))
        }
        #expect(error?.message.contains("loop") == true)
    }

    @Test func `rules that cut addresses into too many parts end in an error, soon`() throws {
        // Each rule takes one address and one port from all: the rest falls apart.
        let rules = (0..<20_000).map { number in
            "-A INPUT -s \(number / 250 * 37 % 250).\(number % 250).7.\(number % 199) -p tcp --dport \(number + 1) -j DROP"
        }
        let begin = HostClock.threadNanoseconds()
        #expect(throws: ImportError.self) { try imported(Self.save(rules.joined(separator: "\n"), input: "ACCEPT")) }
        #expect(HostClock.threadNanoseconds() - begin < 60_000_000_000)
    }

    @Test func `a long list of addresses to drop is mapped`() throws {
        let rules = (0..<800).map { "-A INPUT -s \($0 / 250 * 37 % 250 + 1).\($0 % 250).7.\($0 % 199)/32 -j DROP" }
        let result = try imported(Self.save(rules.joined(separator: "\n"), input: "ACCEPT"))
        #expect(result.notMapped == [] && result.policy.count { $0.contains("/32\"") } == 800)
        #expect(try verdict(result, "1.3.7.3", .udp, 1) == .deny)
        #expect(try verdict(result, "1.3.7.4", .udp, 1) == .allow)
    }

    @Test func `comments do not break out of the document`() throws {
        let result = try imported(
            Self.save("-A INPUT -p tcp --dport 22 -m comment --comment \"a\u{2028}spec: \u{1b}[31m\" -j ACCEPT"))
        #expect(try read(result).count == 1)
        #expect(!result.policy.contains { $0.contains("\u{1b}") || $0.contains("\u{2028}") })
    }
}
