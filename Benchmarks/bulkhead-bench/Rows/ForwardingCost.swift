// SPDX-License-Identifier: Apache-2.0

import CBenchSupport

/// CPU that filtering adds to a forwarded packet of an established flow, the whole path on one core.
enum ForwardingCost: Benchmark {
    static let name = "forwarding"
    static let summary = "CPU added to a forwarded packet of an established flow, against nft and iptables"
    private static let setSize = 100_000
    private static let linearSize = 10_000

    static func run(_ effort: Effort) throws -> [Row] {
        let field = try ForwardingField()
        let ours = BulkheadContender(topology: field.topology, rules: RuleSet(count: setSize))
        let nft = NFTables(topology: field.topology, rules: RuleSet(count: setSize))
        let iptables = IPTables(topology: field.topology, rules: RuleSet(count: linearSize))
        var againstSet = PairedSamples(), againstList = PairedSamples()
        for round in 1...effort.rounds {
            let added = try field.addedCosts(of: [nft, ours, iptables])
            againstSet.add(ours: added[1], peer: added[0])
            againstList.add(ours: added[1], peer: added[2])
            let text = added.map(ResultTable.number).joined(separator: " / ")
            report("  forwarding, round \(round): +ns nft / ours / iptables = \(text)")
        }
        return [
            Row("forward established", unit: "+ns/packet", samples: againstSet, peerName: nft.name, bound: 0.5),
            Row(
                "forward established, list", unit: "+ns/packet", samples: againstList, peerName: iptables.name,
                bound: 0.5),
        ]
    }
}

/// The topology with generator and sink, ready to measure contenders.
final class ForwardingField {
    let topology: Topology
    private let sink: PacketSink
    private let generator: PacketGenerator

    init() throws {
        topology = try Topology()
        sink = try PacketSink(topology: topology)
        generator = try PacketGenerator()
    }

    /// For each contender the cost of an established packet less that of the bare path around it.
    func addedCosts(of contenders: [any Contender]) throws -> [Double] {
        try contenders.map { contender in
            let before = try establishedCost(NoFilter())
            let cost = try establishedCost(contender)
            return cost - min(before, try establishedCost(NoFilter()))
        }
    }

    /// CPU nanoseconds of one forwarded packet of a flow that both sides have spoken in.
    private func establishedCost(_ contender: any Contender) throws -> Double {
        try loaded(contender) { [self] in
            let forth = GeneratedFrame.toServer(port: RuleSet.establishedPort)
            let back = GeneratedFrame.toClient(port: RuleSet.establishedPort)
            try generator.send(forth, into: topology.clientLink, count: 1)
            try generator.send(back, into: topology.serverLink, count: 1)
            let before = try sink.count
            let result = try generator.cost(forth, into: topology.clientLink, chunks: 8)
            try expectDelivery(of: result.sent, since: before, through: contender)
            return result.nanoseconds
        }
    }

    /// CPU nanoseconds of one forwarded packet when each is the first of its flow.
    func firstPacketCost(_ contender: any Contender, flows: Int) throws -> Double {
        // The least of three fills of an empty table, because what neighbours do to the caches only ever adds.
        var fills = Samples()
        for _ in 1...3 { fills.add(try fillCost(contender, flows: flows)) }
        return fills.least
    }

    private func fillCost(_ contender: any Contender, flows: Int) throws -> Double {
        try loaded(contender) { [self] in
            try Self.forgetConnections()
            let frame = GeneratedFrame.toServer(port: RuleSet.generatedPorts.lowerBound)
            let before = try sink.count
            let used = try generator.send(frame, into: topology.clientLink, flows: flows, count: flows)
            try expectDelivery(of: flows, since: before, through: contender)
            try Self.forgetConnections()
            return Double(used) / Double(flows)
        }
    }

    /// Runs `body` in the router's namespace, on the measuring CPU, with the contender's rules in force.
    private func loaded(_ contender: any Contender, _ body: @escaping () throws -> Double) throws -> Double {
        try contender.load()
        let result = Result { try BenchThread.run(in: .named(topology.router), body) }
        try contender.clear()
        return try result.get()
    }

    /// A figure counts only when what was sent has arrived.
    private func expectDelivery(of sent: Int, since before: UInt64, through contender: any Contender) throws {
        let arrived = try sink.count - before
        guard arrived >= UInt64(sent) * 999 / 1000 else {
            throw BenchError("only \(arrived) of \(sent) packets came through \(contender.name): nothing was measured")
        }
    }

    private static func forgetConnections() throws {
        let error = bench_flush_conntrack()
        guard error == 0 else { throw BenchError("cannot flush nf_conntrack: errno \(-error)") }
    }
}
