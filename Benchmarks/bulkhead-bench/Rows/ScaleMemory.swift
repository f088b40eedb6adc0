// SPDX-License-Identifier: Apache-2.0

/// What a big cluster takes of memory: the real agent's, and the kernel's.
enum ScaleMemory: Benchmark {
    static let name = "scale-memory"
    static let summary = "memory of agent and kernel at 10 000 policies, 64 000 identities, 500 endpoints"
    private static let megabytesMax = 256.0

    static func run(_ effort: Effort) throws -> [Row] {
        let cluster = ScaleCluster()
        let field = try AgentField(agentPath: effort.agentPath, endpoints: cluster.locals, corpus: cluster)
        var resident = Samples()
        // First everything is new; then it is found in the kernel.
        for start in ["first start", "restart"] {
            field.kill()
            let milliseconds = try field.start()
            try waitForLinks(field)
            Clocks.sleep(nanoseconds: 5_000_000_000)
            let memory = try field.memory
            resident.add(memory.total)
            let figures = [milliseconds, memory.own, memory.kernelTables].map(ResultTable.number)
            report(
                "  scale-memory: \(start) in \(figures[0]) ms, \(figures[1]) MB and \(figures[2]) MB of mapped tables")
        }
        return [Row("scale: agent resident memory", unit: "MB", ours: resident.greatest, bound: megabytesMax)]
    }

    private static func waitForLinks(_ field: AgentField) throws {
        let end = Clocks.wall + 120_000_000_000
        while field.pinnedLinks < 2 * field.endpoints {
            guard Clocks.wall < end else {
                throw BenchError(
                    "only \(field.pinnedLinks) links of \(2 * field.endpoints) two minutes after the start")
            }
            Clocks.sleep(nanoseconds: 50_000_000)
        }
    }
}
