// SPDX-License-Identifier: Apache-2.0

/// The fair peer: nftables with connection tracking and one set of (source, protocol, port) permissions.
final class NFTables: Contender {
    let name: String
    private let topology: Topology
    private let rules: RuleSet

    init(topology: Topology, rules: RuleSet) {
        self.topology = topology
        self.rules = rules
        name = "nft ct + set \(rules.count)"
    }

    func load() throws {
        try topology.inRouter(["nft", "-f", "-"], input: script)
    }

    func changeOne() throws {
        let element = "{ \(RuleSet.text(RuleSet.fillerAddress(0))) . udp . \(RuleSet.fillerPort(0)) }"
        try topology.inRouter(
            ["nft", "-f", "-"],
            input: """
                delete element ip bench allowed \(element)
                add element ip bench allowed \(element)

                """)
    }

    func clear() throws {
        try topology.inRouter(["nft", "delete", "table", "ip", "bench"])
    }

    private var script: String {
        var elements = RuleSet.generatedPorts.map { "\(Topology.clientAddress) . udp . \($0)" }
        elements.append("\(Topology.clientAddress) . tcp . \(RuleSet.probePort)")
        for index in elements.count..<rules.count {
            elements.append("\(RuleSet.text(RuleSet.fillerAddress(index))) . udp . \(RuleSet.fillerPort(index))")
        }
        return """
            table ip bench {
                set allowed {
                    type ipv4_addr . inet_proto . inet_service
                    elements = { \(elements.joined(separator: ",\n")) }
                }
                chain forward {
                    type filter hook forward priority 0; policy drop;
                    ct state established,related accept
                    ip saddr . meta l4proto . th dport @allowed accept
                }
            }

            """
    }
}

/// Connection tracking alone: what nf_conntrack's own work costs, without any permission to look up.
final class ConntrackOnly: Contender {
    let name = "nf_conntrack"
    private let topology: Topology

    init(topology: Topology) {
        self.topology = topology
    }

    func load() throws {
        try topology.inRouter(
            ["nft", "-f", "-"],
            input: """
                table ip bench {
                    chain forward {
                        type filter hook forward priority 0; policy drop;
                        ct state established,related accept
                        ct state new accept
                    }
                }

                """)
    }

    func changeOne() {}

    func clear() throws {
        try topology.inRouter(["nft", "delete", "table", "ip", "bench"])
    }
}
