// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// What the agent itself costs: start to adopted state, resident memory, size of the static executable.
enum AgentFootprint: Benchmark {
    static let name = "agent"
    static let summary = "start to adopted state at 500 endpoints, resident memory, static executable"
    private static let endpoints = 500
    private static let policies = 1000

    static func run(_ effort: Effort) throws -> [Row] {
        let corpus = PolicyCorpus(policies: policies, applications: endpoints)
        let field = try AgentField(agentPath: effort.agentPath, endpoints: endpoints, corpus: corpus)
        let first = try field.start()
        try waitForLinks(field)
        let text = "first start \(ResultTable.number(first)) ms, \(ResultTable.number(try field.residentMegabytes)) MB"
        report("  agent: \(text)")
        var adoption = Samples(), memory = Samples()
        for round in 1...effort.rounds {
            field.kill()
            adoption.add(try field.start())
            guard field.pinnedLinks == 2 * endpoints else {
                throw BenchError("\(field.pinnedLinks) links after the restart, not \(2 * endpoints): not adopted")
            }
            Clocks.sleep(nanoseconds: 2_000_000_000)
            memory.add(try field.residentMegabytes)
            let figures = [adoption, memory].map { ResultTable.number($0.values[round - 1]) }
            report("  agent, round \(round): adopted in \(figures[0]) ms, resident \(figures[1]) MB")
        }
        return [
            Row("agent start to adopted state", unit: "ms", ours: adoption.median, bound: 500),
            Row("agent resident memory", unit: "MB", ours: memory.median, bound: 64),
            Row("agent static executable", unit: "MB", ours: try executableMegabytes(effort.agentPath), bound: 40),
        ]
    }

    private static func waitForLinks(_ field: AgentField) throws {
        let end = Clocks.wall + 60_000_000_000
        while field.pinnedLinks < 2 * endpoints {
            guard Clocks.wall < end else {
                throw BenchError("only \(field.pinnedLinks) links of \(2 * endpoints) a minute after the first start")
            }
            Clocks.sleep(nanoseconds: 10_000_000)
        }
    }

    private static func executableMegabytes(_ path: String) throws -> Double {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        guard let size = attributes[.size] as? UInt64 else { throw BenchError("cannot read the size of \(path)") }
        let loaded = try Command.run(["ldd", path], acceptingFailure: true).output
        guard loaded.contains("not a dynamic executable") || loaded.contains("statically linked") else {
            throw BenchError("\(path) is not static: its size says nothing; 'make build' makes the static one")
        }
        return Double(size) / 1e6
    }
}
