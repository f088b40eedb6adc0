// SPDX-License-Identifier: Apache-2.0

/// What a big cluster takes of memory: the real agent's, and the kernel's; and what one line of its workloads file costs.
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
        return [
            Row("scale: agent resident memory", unit: "MB", ours: resident.greatest, bound: megabytesMax),
            Row(
                "scale: one line of the workloads file changed", unit: "ms CPU",
                ours: try changedLine(field, cluster, effort.isQuick ? 5 : 20), bound: 100),
        ]
    }

    /// The agent's CPU milliseconds, idle ones included, for each content of the file that has one line more or less.
    private static func changedLine(_ field: AgentField, _ cluster: ScaleCluster, _ changes: Int) throws -> Double {
        let text = cluster.workloadsFile(endpoints: field.endpoints)
        let line = "- {name: one-more, namespace: team-1, addresses: [10.200.0.1], labels: {app: one-more}}\n"
        let before = try field.cpuMilliseconds
        for number in 1...changes {
            let generation = try field.generation
            try field.putWorkloads(number % 2 == 1 ? text + line : text)
            let end = Clocks.wall + 10_000_000_000
            while try field.generation == generation {
                guard Clocks.wall < end else { throw BenchError("a line of the workloads file was not heard of") }
                Clocks.sleep(nanoseconds: 5_000_000)
            }
            Clocks.sleep(nanoseconds: 200_000_000)
        }
        let milliseconds = (try field.cpuMilliseconds - before) / Double(changes)
        report("  scale-memory: \(ResultTable.number(milliseconds)) ms CPU for one line of the workloads file")
        return milliseconds
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
