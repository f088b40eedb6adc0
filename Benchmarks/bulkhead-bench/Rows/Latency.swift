// SPDX-License-Identifier: Apache-2.0

/// What a client waits for: one request and its answer, and a fresh connection with one exchange.
enum Latency: Benchmark {
    static let name = "latency"
    static let summary = "request/response and connect medians, against nft conntrack + set"
    /// Medians closer than this are equal: the machine cannot tell them apart.
    private static let tolerance = 1.05

    static func run(_ effort: Effort) throws -> [Row] {
        let topology = try Topology()
        let server = try EchoServer(topology: topology, port: RuleSet.probePort)
        let probe = LatencyProbe(topology: topology, port: RuleSet.probePort)
        let rules = RuleSet(count: 100_000)
        let ours = BulkheadContender(topology: topology, rules: rules)
        let peer = NFTables(topology: topology, rules: rules)
        let requests = effort.isQuick ? 5_000 : 40_000, connections = effort.isQuick ? 1_000 : 8_000
        var exchange = PairedSamples(), connect = PairedSamples()
        for round in 1...effort.rounds {
            var medians: [[Double]] = []
            for contender in [peer, ours] as [any Contender] {
                try contender.load()
                defer { try? contender.clear() }
                medians.append([
                    try probe.roundTrips(requests).median, try probe.connections(connections).median,
                ])
            }
            exchange.add(ours: medians[1][0], peer: medians[0][0])
            connect.add(ours: medians[1][1], peer: medians[0][1])
            let text = medians.map { $0.map(ResultTable.number).joined(separator: ", ") }.joined(separator: " / ")
            report("  latency, round \(round): µs request, connect nft / ours = \(text)")
        }
        withExtendedLifetime(server) {}
        return [
            Row("request/response p50", unit: "µs", samples: exchange, peerName: peer.name, bound: tolerance),
            Row("connect p50", unit: "µs", samples: connect, peerName: peer.name, bound: tolerance),
        ]
    }
}
