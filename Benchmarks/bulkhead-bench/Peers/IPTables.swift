// SPDX-License-Identifier: Apache-2.0

/// The peer most people still run: a linear list of rules, the needed ones last; the older and faster of its two
/// implementations.
final class IPTables: Contender {
    let name: String
    private let topology: Topology
    private let rules: RuleSet

    init(topology: Topology, rules: RuleSet) {
        self.topology = topology
        self.rules = rules
        name = "iptables-legacy \(rules.count)"
    }

    func load() throws {
        try topology.inRouter(["iptables-legacy-restore"], input: script)
    }

    func changeOne() throws {
        try topology.inRouter([
            "iptables-legacy", "-R", "FORWARD", "2", "-s", RuleSet.text(RuleSet.fillerAddress(0)), "-p", "udp",
            "--dport",
            "\(RuleSet.fillerPort(0))", "-j", "ACCEPT",
        ])
    }

    func clear() throws {
        try topology.inRouter(["iptables-legacy-restore"], input: "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n")
    }

    private var script: String {
        var lines = ["*filter", ":FORWARD DROP [0:0]"]
        for index in 0..<rules.count {
            let address = RuleSet.text(RuleSet.fillerAddress(index))
            lines.append("-A FORWARD -s \(address) -p udp --dport \(RuleSet.fillerPort(index)) -j ACCEPT")
        }
        let ports = "\(RuleSet.generatedPorts.lowerBound):\(RuleSet.generatedPorts.upperBound)"
        lines.append("-A FORWARD -s \(Topology.clientAddress) -p udp --dport \(ports) -j ACCEPT")
        lines.append("-A FORWARD -d \(Topology.clientAddress) -p udp --sport \(ports) -j ACCEPT")
        lines.append("-A FORWARD -p tcp -j ACCEPT")
        return (lines + ["COMMIT", ""]).joined(separator: "\n")
    }
}
