// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FoundationEssentials
import Glibc

/// Measures the product side by side with its peers; see Benchmarks/README.md for the method.
struct BulkheadBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-bench", abstract: "Measures Bulkhead side by side with nftables and iptables.")

    @Option(help: "Run only the benchmarks with these names (comma-separated).")
    var only: String?

    @Flag(help: "Two short rounds: shows that everything works; not for quoting.")
    var quick = false

    @Flag(help: "List the benchmarks and stop.")
    var list = false

    @Option(help: "Where to write the rows as JSON.")
    var output = "Benchmarks/results.json"

    @Option(help: "The static agent executable that some benchmarks start.")
    var agent = ".build/release/bulkhead-agent"

    mutating func run() throws {
        guard !list else {
            for benchmark in benchmarks { print("\(benchmark.name): \(benchmark.summary)") }
            return
        }
        guard geteuid() == 0 else { throw BenchError("cannot measure: namespaces and kernel programs need root") }
        let rows = try measure(try selected())
        print(ResultTable(rows: rows).text)
        try write(rows)
        let failed = rows.filter { !$0.pass }.count
        print("\(rows.count - failed) passed, \(failed) failed\(quick ? " (quick run: not for quoting)" : "")")
        guard failed == 0 else { throw ExitCode.failure }
    }

    private func selected() throws -> [any Benchmark.Type] {
        guard let only else { return benchmarks }
        return try only.split(separator: ",").map { name in
            guard let found = benchmarks.first(where: { $0.name == name }) else {
                let known = benchmarks.map { $0.name }.joined(separator: ", ")
                throw BenchError("no benchmark is called '\(name)': choose among \(known)")
            }
            return found
        }
    }

    private func measure(_ benchmarks: [any Benchmark.Type]) throws -> [Row] {
        var rows: [Row] = []
        for benchmark in benchmarks {
            report("\(benchmark.name): \(benchmark.summary)")
            rows += try benchmark.run(Effort(isQuick: quick, agentPath: agent))
        }
        return rows
    }

    /// A partial or quick run must not pass for the result of a whole one.
    private func write(_ rows: [Row]) throws {
        let isWhole = only == nil && !quick
        let path = isWhole ? output : output.replacing(".json", with: ".local.json")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(rows).write(to: URL(filePath: path))
        report("rows written to \(path)")
    }
}

BulkheadBench.main()
