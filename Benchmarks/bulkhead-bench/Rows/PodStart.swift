// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What a pod's start waits for: the network plugin's ADD, until policy is in force.
enum PodStart: Benchmark {
    static let name = "pod-start"
    static let summary = "the network plugin at 10 000 policies: ADD, its start-up, datagrams before policy"
    private static let addMillisecondsMax = 20.0
    private static let startMillisecondsMax = 10.0
    /// As `scripts/bench-cni` prints it.
    private static let plugin = "VERSION: the plugin starts and ends"
    private static let adds = ["ADD: interface just made", "ADD: pod that the cluster told of"]

    static func run(_ effort: Effort) throws -> [Row] {
        let binaries = effort.toolPath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let (policies, pods) = effort.isQuick ? (1000, 20) : (10_000, 110)
        let table = try Command.run(
            [
                "env", "POLICIES=\(policies)", "PODS=\(pods)", "scripts/bench-cni", "--binaries",
                binaries.joined(separator: "/"),
            ]
        ).output
        report(table)
        var rows = try adds.map { title in
            Row(
                "\(title), \(policies) policies, p99", unit: "ms", ours: try figures(title, in: table)[2],
                bound: addMillisecondsMax)
        }
        rows.append(
            Row(
                "plugin's start-up, p99", unit: "ms", ours: try figures(plugin, in: table)[2],
                bound: startMillisecondsMax))
        let passed = table.split(separator: "\n").filter { $0.contains(" of \(pods);") }.compactMap { line in
            line.prefix { $0 != ";" }.split(separator: " ").dropLast(2).last.flatMap { Double($0) }
        }
        guard passed.count == 3 else { throw BenchError("bench-cni counted no datagrams: \(table)") }
        rows.append(
            Row("datagrams before policy, \(3 * pods) pods", unit: "", ours: passed.reduce(0, +), bound: 0))
        return rows
    }

    /// Number, median, p99 and greatest of a row of the table.
    private static func figures(_ title: String, in table: String) throws -> [Double] {
        guard let line = table.split(separator: "\n").first(where: { $0.hasPrefix(title) }) else {
            throw BenchError("bench-cni printed no row '\(title)': \(table)")
        }
        let figures = line.dropFirst(title.count).split(separator: " ").compactMap { Double($0) }
        guard figures.count == 4 else { throw BenchError("'\(line)' is no row of bench-cni") }
        return figures
    }
}
