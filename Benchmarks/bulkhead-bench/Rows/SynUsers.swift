// SPDX-License-Identifier: Apache-2.0

/// Real users of a defended listener while forged SYNs come in, beside the same without it.
enum SynUsers: Benchmark {
    static let name = "syn-users"
    static let summary =
        "real users served while forged SYNs come in, IPv4 and IPv6, at the host and behind it, and while switching"

    private static let port: UInt16 = 8444
    private static let rates: [(name: String, rate: Int?)] = [("20 k/s", 20_000), ("100 k/s", 100_000), ("all", nil)]
    private static let peers: [(name: String, defence: SynField.Defence)] = [
        ("nothing", .nothing), ("kernel's cookies", .kernelCookies), ("nft SYNPROXY", .synproxy),
    ]

    static func run(_ effort: Effort) throws -> [Row] {
        let field = try SynField()
        try field.letUsersIn()
        var rows: [Row] = []
        for isWorkload in [false, true] {
            for isIPv6 in [false, true] {
                rows += try UserField(field, isWorkload: isWorkload, isIPv6: isIPv6, effort).measure()
            }
            rows += try SynSwitching(field, isWorkload: isWorkload, effort).measure()
        }
        return rows
    }

    /// One listener, and its users.
    private struct UserField {
        let field: SynField
        let isWorkload: Bool
        let target: [UInt8]
        let effort: Effort
        let place: String

        init(_ field: SynField, isWorkload: Bool, isIPv6: Bool, _ effort: Effort) {
            self.field = field
            self.isWorkload = isWorkload
            self.effort = effort
            target = SynField.target(isWorkload: isWorkload, isIPv6: isIPv6)
            place = "\(isWorkload ? "workload" : "host"), IPv\(isIPv6 ? 6 : 4)"
        }

        /// A server of its own for each contender: nobody inherits another's queue.
        private func withServer<Result>(_ body: () throws -> Result) throws -> Result {
            let namespace = isWorkload ? field.topology.server : field.topology.router
            let server = try UserServer(namespace: namespace, port: port)
            defer { withExtendedLifetime(server) {} }
            return try body()
        }

        func measure() throws -> [Row] {
            let others = try peers.map { peer in try withServer { try measurePeer(peer.defence) } }
            return try withServer { try measureOurs(others) }
        }

        private func measureOurs(_ others: [[Visitor.Count]]) throws -> [Row] {
            try field.defend(isWorkload: isWorkload)
            defer { try? field.undefend(isWorkload: isWorkload) }
            var rows: [Row] = []
            var calmFailed = 0.0
            for (index, (name, rate)) in rates.enumerated() {
                var served = PairedSamples(), failed = 0.0
                for round in 1...effort.rounds {
                    let calm = try visit()
                    let (flooded, pace) = try visit(during: rate)
                    served.add(ours: Double(calm.served), peer: Double(flooded.served))
                    calmFailed += Double(calm.failed)
                    failed += Double(flooded.failed)
                    report(
                        "  syn-users, \(place), \(name), round \(round): served calm / flooded \(calm.served) / "
                            + "\(flooded.served), failed \(calm.failed) / \(flooded.failed), \(pace) SYN/s")
                }
                rows.append(
                    Row(
                        "users served without a flood / with, \(place), flood \(name)", unit: "connections",
                        samples: served, peerName: "with", bound: 1 / 0.97))
                rows.append(failures("flood \(name)", failed, others.map { $0[index + 1] }))
            }
            return [failures("no flood", calmFailed, others.map { $0[0] })] + rows
        }

        /// What failed of ours in all rounds, beside what became of the peers' users in one.
        private func failures(_ flood: String, _ failed: Double, _ others: [Visitor.Count]) -> Row {
            let beside = zip(peers, others).map { "\($0.name) \($1.failed) of \($1.failed + $1.served)" }
            return Row(
                "users who failed in all rounds, \(place), \(flood)", unit: "connections", ours: failed, bound: 0,
                beside: beside.joined(separator: ", "))
        }

        /// One visit without a flood, and one at each rate.
        private func measurePeer(_ defence: SynField.Defence) throws -> [Visitor.Count] {
            try field.install(defence, isWorkload: isWorkload)
            defer { try? field.remove(defence, isWorkload: isWorkload) }
            return try [visit()] + rates.map { try visit(during: $0.rate).count }
        }

        private func visit() throws -> Visitor.Count {
            try BenchThread.run(in: .named(field.topology.client), cpu: nil) {
                Visitor(target: target, port: port).visit(seconds: effort.isQuick ? 1 : 2)
            }
        }

        private func visit(during rate: Int?) throws -> (count: Visitor.Count, pace: Int) {
            let flood = try SynFlood(topology: field.topology, target: target, port: port, rate: rate)
            Clocks.sleep(nanoseconds: 100_000_000)
            let begin = Clocks.wall, count = try visit()
            let seconds = Double(Clocks.wall - begin) / 1e9 + 0.1
            return (count, Int(Double(flood.stop()) / seconds))
        }
    }
}
