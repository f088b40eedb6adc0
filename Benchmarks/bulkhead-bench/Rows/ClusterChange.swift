// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// A policy changes in a cluster of three nodes: until each of them judges by it, through the API and through etcd.
enum ClusterChange: Benchmark {
    static let name = "cluster-change"
    static let summary = "a policy changed: in force on three nodes, through the API and through etcd"
    private static let nodes = 3

    static func run(_ effort: Effort) throws -> [Row] {
        let changes = effort.isQuick ? 20 : 200
        return [
            try row("through the API", try ClusterBed.kubernetes(effort, nodes: nodes), changes),
            try row("through etcd", try ClusterBed.etcd(effort, nodes: nodes), changes),
        ]
    }

    private static func row(_ way: String, _ bed: ClusterBed, _ changes: Int) throws -> Row {
        let ports = [WatchedCluster.port, WatchedCluster.otherPort]
        let watches = try bed.start().map { try VerdictWatch($0, []) }
        func wait(_ variant: Int, since begin: UInt64, seconds: UInt64) throws -> Double {
            let questions = ports.indices.map { place in
                VerdictWatch.Question(peer: bed.friend, port: ports[place], isOpen: place == variant)
            }
            // One after the other: the last to follow counts.
            return try watches.map { try $0.waitUntilRight(since: begin, seconds: seconds, questions) }.max() ?? 0
        }
        try bed.put(policyWith: ports[0])
        _ = try wait(0, since: Clocks.wall, seconds: 120)
        var delays = Samples()
        for change in 1...changes {
            let begin = Clocks.wall
            try bed.put(policyWith: ports[change % 2])
            delays.add(try wait(change % 2, since: begin, seconds: 30))
            Clocks.sleep(nanoseconds: 50_000_000)
        }
        let figures = [delays.median, delays.quantile(0.99), delays.greatest].map(ResultTable.number)
        report("  cluster-change: \(way): ms median, p99, max \(figures.joined(separator: ", "))")
        return Row(
            "policy change in force on \(nodes) nodes \(way), p99", unit: "ms", ours: delays.quantile(0.99), bound: 200)
    }
}
