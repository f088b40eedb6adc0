// SPDX-License-Identifier: Apache-2.0

/// CPU that the first packet of a flow costs beyond the bare path: decide and remember.
enum FirstPacketCost: Benchmark {
    static let name = "first-packet"
    static let summary = "CPU added to the first packet of a flow, against nf_conntrack"

    private static let flows = 200_000

    static func run(_ effort: Effort) throws -> [Row] {
        let field = try ForwardingField()
        let rules = RuleSet(count: 100_000)
        let one = BulkheadContender(topology: field.topology, rules: rules, onlyClient: true)
        let both = BulkheadContender(topology: field.topology, rules: rules)
        let peer = ConntrackOnly(topology: field.topology)
        var oneAgainstPeer = PairedSamples(), bothAgainstPeer = PairedSamples()
        for round in 1...effort.rounds {
            let bare = try field.firstPacketCost(NoFilter(), flows: flows)
            let contenders: [any Contender] = [peer, one, both]
            let added = try contenders.map { try field.firstPacketCost($0, flows: flows) - bare }
            oneAgainstPeer.add(ours: added[1], peer: added[0])
            bothAgainstPeer.add(ours: added[2], peer: added[0])
            let text = added.map(ResultTable.number).joined(separator: " / ")
            report("  first packet, round \(round): +ns nf_conntrack / one endpoint / both = \(text)")
        }
        return [
            Row(
                "first packet, one endpoint", unit: "+ns/packet", samples: oneAgainstPeer, peerName: peer.name,
                bound: 0.8),
            Row(
                "first packet, both endpoints", unit: "+ns/packet", samples: bothAgainstPeer, peerName: peer.name,
                bound: 0.8),
        ]
    }
}
