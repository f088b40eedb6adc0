// SPDX-License-Identifier: Apache-2.0

/// The control plane is gone for ten minutes, and a thousand pods change meanwhile.
///
/// What was in force stays so, and no path is open that neither the cluster before nor the one after has open.
enum ClusterOutage: Benchmark {
    static let name = "cluster-outage"
    static let summary = "the API server gone for 10 minutes (quick: 20 s), 1 000 changes of pods missed, then back"
    private static let pods = 1_000

    static func run(_ effort: Effort) throws -> [Row] {
        let cluster = try WatchedField(effort, size: (1_000, 30_000, 2_000))
        // Who goes: friends and strangers, and of each a part whose address is somebody else's afterwards.
        let leaving = (0..<(pods / 2)).map { WatchedCluster.Peer($0, isFriend: $0 % 2 == 0) }
        let staying = (0..<20).map { WatchedCluster.Peer(5_000 + $0, isFriend: $0 % 2 == 0) }
        try cluster.put(leaving + staying)
        let coming = (0..<(pods / 2)).map { number in
            WatchedCluster.Peer(
                10_000 + number, isFriend: number % 2 == 1, address: number < pods / 4 ? leaving[number].address : nil)
        }
        _ = try cluster.start(staying[0])
        let watch = try VerdictWatch(cluster.field, questions(leaving, staying, coming))
        _ = try watch.waitUntilRight(
            since: Clocks.wall, seconds: 60, leaving.map(\.question) + staying.map(\.question))
        try watch.start()
        let seconds = effort.isQuick ? 20 : 600
        let begin = Clocks.wall
        try cluster.goDown(seconds: seconds, coming, leaving)
        // It answers again at this moment at the earliest.
        let back = try cluster.awaitReturn(after: begin + UInt64(seconds) * 1_000_000_000)
        let settled =
            coming.map(\.question)
            + leaving.dropFirst(pods / 4).map { peer in
                var gone = peer.question
                gone.isOpen = false
                return gone
            }
        let milliseconds = try watch.waitUntilRight(since: back, seconds: 120, settled)
        let tally = watch.stop()
        report(
            "  cluster-outage: \(seconds) s, \(pods) pods missed, in force \(ResultTable.number(milliseconds)) ms after the"
                + " return; \(tally.asked) packets judged, \(tally.wronglyOpen) wrongly let through,"
                + " \(tally.wronglyClosed) wrongly dropped")
        return [
            Row(
                "cluster: in force after \(effort.isQuick ? "20 seconds" : "10 minutes") without the API", unit: "s",
                ours: milliseconds / 1000, bound: 5),
            Row("cluster: paths wrongly open at any time", unit: "packets", ours: Double(tally.wronglyOpen), bound: 0),
            Row(
                "cluster: paths wrongly closed at any time", unit: "packets", ours: Double(tally.wronglyClosed),
                bound: 0),
        ]
    }

    /// What is asked all the time: only what is the same before and after has one right answer.
    private static func questions(
        _ leaving: [WatchedCluster.Peer], _ staying: [WatchedCluster.Peer], _ coming: [WatchedCluster.Peer]
    ) -> [VerdictWatch.Question] {
        var all = staying.map(\.question)
        // Strangers who go, and strangers who come at addresses of their own, are strangers throughout.
        all += leaving.filter { !$0.isFriend && $0.number >= pods / 4 }.prefix(100).map(\.question)
        all += coming.filter { !$0.isFriend && $0.number >= 10_000 + pods / 4 }.prefix(100).map(\.question)
        // So is another port, whoever asks.
        all += (leaving.prefix(50) + coming.prefix(50)).map {
            VerdictWatch.Question(peer: $0.address, port: WatchedCluster.otherPort, isOpen: false)
        }
        return all
    }
}

extension WatchedField {
    /// The server is away for so long; meanwhile pods come and others go.
    func goDown(seconds: Int, _ coming: [WatchedCluster.Peer], _ leaving: [WatchedCluster.Peer]) throws {
        let objects = coming.map(\.object).joined(separator: ",")
        let paths = leaving.map { "\"\($0.path)\"" }.joined(separator: ",")
        // It may be gone before it has answered.
        _ = try? api.call(
            "POST", "down?milliseconds=\(seconds * 1000)", "{\"apply\":[\(objects)],\"remove\":[\(paths)]}")
    }

    /// Waits until the server answers again; returns when that was at the latest.
    func awaitReturn(after earliest: UInt64) throws -> UInt64 {
        while (try? api.call("GET", "counters")) == nil {
            guard Clocks.wall < earliest + 60_000_000_000 else { throw BenchError("the API server did not come back") }
            Clocks.sleep(nanoseconds: 20_000_000)
        }
        guard Clocks.wall + 2_000_000_000 > earliest else { throw BenchError("the API server never was away") }
        return Clocks.wall
    }
}
