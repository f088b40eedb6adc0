// SPDX-License-Identifier: Apache-2.0

/// How thorough a run is.
struct Effort {
    /// Rounds of every comparison; a median of fewer than five is not a result.
    let rounds: Int
    /// A quick run shows that everything works; its figures are not for quoting.
    let isQuick: Bool

    /// The agent that is started for measurements of the whole product.
    let agentPath: String

    /// The command-line tool beside it.
    var toolPath: String { beside("bulkhead") }

    /// The API server in memory beside it.
    var clusterPath: String { beside("kubernetes-double") }

    private func beside(_ name: String) -> String {
        agentPath.lastIndex(of: "/").map { agentPath[...$0] + name } ?? name
    }

    init(isQuick: Bool, agentPath: String) {
        self.isQuick = isQuick
        self.agentPath = agentPath
        rounds = isQuick ? 2 : 5
    }
}

/// A group of rows that are measured together.
protocol Benchmark: Sendable {
    /// What `--only` selects it by.
    static var name: String { get }

    /// One line for `--list`.
    static var summary: String { get }

    static func run(_ effort: Effort) throws -> [Row]
}

/// Every benchmark, in the order of the table.
let benchmarks: [any Benchmark.Type] = [
    EstablishedCost.self, ForwardingCost.self, FirstPacketCost.self, Latency.self, CompileTime.self, EventRate.self,
    NameAnswerCost.self, ServiceCost.self, AgentFootprint.self, PolicyChange.self, AuditSwitch.self, ScaleCost.self,
    ScaleMemory.self, ClusterWatch.self, ClusterOutage.self, ClusterChange.self, PodStart.self, PolicyTestTime.self,
    LargeFile.self,
    ShieldCost.self, ShieldPath.self,
    FeedReplacement.self, SensorCost.self, SynCost.self, SynUsers.self, TimeToFinding.self, OrdinaryTraffic.self,
]

/// Tells the reader of a long run where it is; the table itself goes to standard output.
func report(_ text: String) {
    StandardError.write(text + "\n")
}
