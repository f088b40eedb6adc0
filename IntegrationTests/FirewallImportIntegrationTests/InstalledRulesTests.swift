// SPDX-License-Identifier: Apache-2.0

import FirewallImport
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyReading
import TestBed
import Testing

/// Address range of this target.
let subnet = 44

/// Rules that the tools themselves installed and printed.
@Suite(.serialized) struct InstalledRulesTests {
    private struct Probe {
        var peer: String
        var proto: IPProtocol
        var port: UInt16?
        var isAllowed: Bool
        var direction = Direction.ingress

        init(_ peer: String, _ proto: IPProtocol, _ port: UInt16?, _ isAllowed: Bool, _ direction: Direction = .ingress)
        {
            self.peer = peer
            self.proto = proto
            self.port = proto == .icmp || proto == .icmpv6 ? port.map { $0 << 8 } : port
            self.isAllowed = isAllowed
            self.direction = direction
        }
    }

    private static let iptables = """
        for t in iptables ip6tables; do
          $t -P INPUT DROP; $t -P FORWARD DROP; $t -N WEB; $t -N LIMITS
          $t -A INPUT -i lo -j ACCEPT
          $t -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
          $t -A INPUT -p tcp -m multiport --dports 80,443,8000:8010 -j WEB
          $t -A INPUT -p tcp --dport 22 -m comment --comment 'ssh "from" us' -j LIMITS
          $t -A INPUT -p tcp ! --dport 113 --syn -j LOG --log-prefix "in: "
          $t -A INPUT -p tcp --dport 113 -j REJECT --reject-with tcp-reset
          $t -A INPUT -p udp --dport 5000:5010 -j ACCEPT
          $t -A WEB -p tcp --dport 8005 -j DROP
          $t -A WEB -j ACCEPT
          $t -A OUTPUT -p tcp --dport 25 -j REJECT
        done
        iptables -I WEB -s 203.0.113.0/24 -j RETURN
        iptables -A LIMITS -s 192.0.2.0/25 -j ACCEPT
        iptables -A LIMITS ! -s 198.51.100.0/24 -j DROP
        iptables -A LIMITS -m conntrack --ctstate NEW -j ACCEPT
        iptables -A INPUT -p icmp --icmp-type echo-request -j ACCEPT
        ip6tables -A LIMITS -s 2001:db8::/32 -j ACCEPT
        ip6tables -A INPUT -p ipv6-icmp --icmpv6-type echo-request -j ACCEPT
        iptables -t nat -A PREROUTING -p tcp --dport 1 -j REDIRECT --to-ports 2
        """

    private static let nft = """
        table inet f {
          set us { type ipv4_addr; flags interval; elements = { 192.0.2.0-192.0.2.127 } }
          chain web {
            ip saddr 203.0.113.0/24 return
            tcp dport 8005 drop
            accept
          }
          chain limits {
            ip saddr @us accept
            ip6 saddr 2001:db8::/32 accept
            ip saddr != 198.51.100.0/24 drop
            meta nfproto ipv4 ct state new accept
          }
          chain input {
            type filter hook input priority 0; policy drop;
            iifname "lo" accept
            ct state established,related accept
            tcp dport { 80, 443, 8000-8010 } jump web
            tcp dport 22 jump limits
            tcp dport 113 counter reject with tcp reset
            udp dport 5000-5010 accept
            icmp type echo-request accept
            icmpv6 type echo-request accept
          }
          chain output {
            type filter hook output priority 0; policy accept;
            tcp dport 25 reject
          }
        }
        table ip nat {
          chain pre { type nat hook prerouting priority -100; tcp dport 1 redirect to :2; }
        }
        """

    private static let probes = [
        Probe("192.0.2.1", .tcp, 22, true), Probe("192.0.2.200", .tcp, 22, false),
        Probe("198.51.100.7", .tcp, 22, true), Probe("203.0.113.1", .tcp, 22, false),
        Probe("192.0.2.1", .tcp, 80, true), Probe("203.0.113.1", .tcp, 80, false),
        Probe("203.0.113.1", .tcp, 443, false), Probe("192.0.2.1", .tcp, 8005, false),
        Probe("192.0.2.1", .tcp, 8004, true), Probe("192.0.2.1", .tcp, 8011, false),
        Probe("192.0.2.1", .tcp, 113, false), Probe("8.8.8.8", .udp, 5005, true), Probe("8.8.8.8", .udp, 5011, false),
        Probe("8.8.8.8", .icmp, 8, true), Probe("8.8.8.8", .icmp, 0, false),
        Probe("8.8.8.8", IPProtocol(rawValue: 47), nil, false), Probe("2001:db8::1", .tcp, 22, true),
        Probe("2001:db9::1", .tcp, 22, false), Probe("2001:db9::1", .tcp, 443, true),
        Probe("2001:db9::1", .tcp, 8005, false), Probe("2001:db9::1", .icmpv6, 128, true),
        Probe("2001:db9::1", .icmpv6, 129, false), Probe("2001:db9::1", .udp, 5000, true),
        Probe("8.8.8.8", .tcp, 25, false, .egress), Probe("8.8.8.8", .tcp, 443, true, .egress),
        Probe("2001:db9::1", .tcp, 25, false, .egress), Probe("2001:db9::1", .udp, 53, true, .egress),
        Probe("8.8.8.8", IPProtocol(rawValue: 47), nil, true, .egress),
    ]

    private func differences(_ imported: FirewallImport) throws -> [String] {
        let text = imported.policy.joined(separator: "\n") + "\n"
        let set = PolicyReader().read(bytes: Array(text.utf8), file: "imported.yaml")
        try #require(!set.diagnostics.hasErrors, "\(set.diagnostics.rendered)")
        let explainer = Explainer(policies: set.policies)
        let host = ExplainedSide.host(IPAddress("192.0.2.254"), isEndpoint: true)
        return Self.probes.compactMap { probe in
            let peer = ExplainedSide.world(IPAddress(probe.peer))
            let (source, destination) = probe.direction == .ingress ? (peer, host) : (host, peer)
            let verdict = explainer.explain(from: source, to: destination, proto: probe.proto, port: probe.port).verdict
            guard (verdict == .allow) != probe.isAllowed else { return nil }
            return "\(probe.peer) \(probe.proto)/\(probe.port ?? 0) \(probe.direction): \(verdict)"
        }
    }

    @Test func `iptables-save and ip6tables-save are imported with their verdicts`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let namespace = try await bed.namespace("fw")
            _ = try await namespace.shell("set -e\n" + Self.iptables).checked()
            let four = try await namespace.shell("iptables-save").checked().output
            let six = try await namespace.shell("ip6tables-save").checked().output
            let imported = try FirewallImport([
                .init(name: "rules.v4", bytes: Array(four.utf8)), .init(name: "rules.v6", bytes: Array(six.utf8)),
            ])
            #expect(try differences(imported) == [], "\(imported.policy.joined(separator: "\n"))")
            #expect(Set(imported.notMapped.map(\.place.table)) == ["nat", "filter"])
            #expect(imported.notMapped.filter { $0.place.table == "filter" }.allSatisfy { $0.rule == "policy DROP" })
        }
    }

    @Test func `nft -j list ruleset is imported with the same verdicts`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let namespace = try await bed.namespace("fw")
            try writeFile(bed.path("rules.nft"), Self.nft)
            _ = try await namespace.shell("nft -f \(bed.path("rules.nft"))").checked()
            let listing = try await namespace.shell("nft -j list ruleset").checked().output
            let imported = try FirewallImport([.init(name: "ruleset.json", bytes: Array(listing.utf8))])
            #expect(try differences(imported) == [], "\(imported.policy.joined(separator: "\n"))")
            #expect(imported.notMapped.map(\.place.table) == ["ip nat"])
        }
    }

    @Test func `what nft shows of iptables' own extensions is listed, not guessed`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let namespace = try await bed.namespace("fw")
            _ = try await namespace.shell("set -e\n" + Self.iptables).checked()
            let listing = try await namespace.shell("nft -j list ruleset").checked().output
            let imported = try FirewallImport([.init(name: "ruleset.json", bytes: Array(listing.utf8))])
            #expect(imported.notMapped.contains { $0.reason.contains("import iptables-save") })
        }
    }
}
