// SPDX-License-Identifier: Apache-2.0

/// CPU that the first packet of a flow costs beyond the bare path: decide and remember.
enum FirstPacketCost: Benchmark {
    static let name = "first-packet"
    static let summary = "CPU added to the first packet of a flow, against nf_conntrack"

    static func run(_ effort: Effort) throws -> [Row] {
        let flows = effort.isQuick ? 50_000 : 200_000
        let field = try ForwardingField()
        let ours = BulkheadContender(topology: field.topology, rules: RuleSet(count: 100_000))
        let peer = ConntrackOnly(topology: field.topology)
        var samples = PairedSamples()
        for round in 1...effort.rounds {
            let bare = try field.firstPacketCost(NoFilter(), flows: flows)
            let peerCost = try field.firstPacketCost(peer, flows: flows) - bare
            let ourCost = try field.firstPacketCost(ours, flows: flows) - bare
            samples.add(ours: ourCost, peer: peerCost)
            report(
                "  first packet, round \(round): bare \(ResultTable.number(bare)), +ns nf_conntrack / ours = "
                    + "\(ResultTable.number(peerCost)) / \(ResultTable.number(ourCost))")
        }
        return [Row("first packet of a flow", unit: "+ns/packet", samples: samples, peerName: peer.name, bound: 0.8)]
    }
}
