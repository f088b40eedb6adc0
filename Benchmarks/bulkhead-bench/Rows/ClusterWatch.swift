// SPDX-License-Identifier: Apache-2.0

/// An agent of a large cluster: what watching every pod costs it, and a list of everything anew.
///
/// The cluster is in a stand-in for the API server, a process of its own; a hundred pods change each second.
enum ClusterWatch: Benchmark {
    static let name = "cluster-watch"
    static let summary =
        "an agent watches 5 000 nodes, 150 000 pods, 10 000 policies: memory, CPU, everything listed anew"
    private static let size = (5_000, 150_000, 10_000)
    private static let changesPerSecond = 100

    static func run(_ effort: Effort) throws -> [Row] {
        let cluster = try WatchedField(effort, size: size)
        let peers = (0..<20).map { WatchedCluster.Peer($0, isFriend: $0 % 2 == 0) }
        try cluster.put(peers)
        let milliseconds = try cluster.start(peers[0])
        report(
            "  cluster-watch: all known after \(ResultTable.number(milliseconds / 1000)) s and "
                + "\(ResultTable.number(try cluster.field.cpuMilliseconds / 1000)) s CPU")
        Clocks.sleep(nanoseconds: 10_000_000_000)
        var resident = Samples()
        try note("all known", cluster.field, &resident)
        try cluster.api.call("POST", "churn", "{\"perSecond\":\(changesPerSecond)}")
        // Past what a first change has to get.
        Clocks.sleep(nanoseconds: 5_000_000_000)
        let share = try cpuShare(cluster.field, seconds: effort.isQuick ? 15 : 120, &resident)
        try note("\(changesPerSecond) changes a second", cluster.field, &resident)
        let (seconds, tally) = try relist(cluster, peers)
        Clocks.sleep(nanoseconds: 15_000_000_000)
        try note("everything listed anew", cluster.field, &resident)
        report(
            "  cluster-watch: at its peak \(ResultTable.number(try cluster.field.peakMegabytes)) MB; \(tally.asked) packets"
                + " judged during the list; the stand-in has \(ResultTable.number(try cluster.api.memory.total)) MB")
        return [
            Row("cluster: agent resident memory", unit: "MB", ours: resident.greatest, bound: 300),
            Row("cluster: agent CPU at 100 pod changes a second", unit: "% of a core", ours: share, bound: 15),
            Row("cluster: everything listed anew", unit: "s", ours: seconds, bound: 10),
            Row(
                "cluster: verdicts changed by that", unit: "packets",
                ours: Double(tally.wronglyOpen + tally.wronglyClosed), bound: 0),
        ]
    }

    private static func note(_ moment: String, _ field: AgentField, _ resident: inout Samples) throws {
        let memory = try field.memory
        resident.add(memory.total)
        let figures = [memory.own, memory.kernelTables].map(ResultTable.number)
        report("  cluster-watch: \(moment): \(figures[0]) MB and \(figures[1]) MB of mapped tables")
    }

    /// Percent of one core, and the memory meanwhile.
    private static func cpuShare(_ field: AgentField, seconds: Int, _ resident: inout Samples) throws -> Double {
        let (begin, before) = (Clocks.wall, try field.cpuMilliseconds)
        for _ in 0..<seconds {
            Clocks.sleep(nanoseconds: 1_000_000_000)
            resident.add(try field.memory.total)
        }
        return try (field.cpuMilliseconds - before) / (Double(Clocks.wall - begin) / 1e6) * 100
    }

    /// The server forgets its past and ends the watches: until what changed behind that is in force.
    private static func relist(
        _ cluster: WatchedField, _ peers: [WatchedCluster.Peer]
    ) throws -> (seconds: Double, tally: VerdictWatch.Tally) {
        let watch = try VerdictWatch(cluster.field, peers.map(\.question))
        try watch.start()
        let gone = #""fault":"first-line","times":1,"verb":"watch","resource":"pods""#
        let line = #"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}"#
        try cluster.api.call("POST", "faults", "{\(gone),\"line\":\"\(line)\"}")
        let (begin, watches) = (Clocks.wall, try cluster.api.watchesOfPods)
        try cluster.api.call("POST", "end-watches")
        // The watch that is told to list, and the list. Whoever comes now is told behind it, or with it.
        while try cluster.api.watchesOfPods < watches + 2 {
            guard Clocks.wall - begin < 20_000_000_000 else { throw BenchError("nobody listed the pods anew") }
            Clocks.sleep(nanoseconds: 10_000_000)
        }
        let late = WatchedCluster.Peer(900, isFriend: true)
        try cluster.put([late])
        let milliseconds = try watch.waitUntilRight(since: begin, seconds: 120, [late.question])
        return (milliseconds / 1000, watch.stop())
    }
}
