// SPDX-License-Identifier: Apache-2.0

import Glibc

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
        report("  agent: first start \(ResultTable.number(first)) ms")
        var adoption = Samples(), memory = Samples()
        for round in 1...effort.rounds {
            field.kill()
            adoption.add(try field.start())
            guard field.pinnedLinks == 2 * endpoints else {
                throw BenchError("\(field.pinnedLinks) links after the restart, not \(2 * endpoints): not adopted")
            }
            Clocks.sleep(nanoseconds: 2_000_000_000)
            let resident = try field.memory
            memory.add(resident.total)
            let figures = [adoption.values[round - 1], resident.own, resident.kernelTables].map(ResultTable.number)
            report(
                "  agent, round \(round): adopted in \(figures[0]) ms, resident \(figures[1]) MB of its own "
                    + "and \(figures[2]) MB of mapped kernel tables")
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
        var facts = stat()
        guard unsafe stat(path, &facts) == 0 else { throw BenchError("cannot read the size of \(path)") }
        let loaded = try Command.run(["ldd", path], acceptingFailure: true).output
        guard loaded.contains("not a dynamic executable") || loaded.contains("statically linked") else {
            throw BenchError("\(path) is not static: its size says nothing; 'make build' makes the static one")
        }
        return Double(facts.st_size) / 1e6
    }
}
