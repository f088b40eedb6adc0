// SPDX-License-Identifier: Apache-2.0

import Glibc

/// From the first packet of an attack to a finding, beside psad and FastNetMon on the same host at the same time.
enum TimeToFinding: Benchmark {
    static let name = "time-to-finding"
    static let summary = "from an attack's first packet to its finding, beside psad and fastnetmon"

    static func run(_ effort: Effort) throws -> [Row] {
        let rounds = effort.isQuick ? 1 : 3
        var seconds: [String: [[Double?]]] = [:]
        for round in 1...rounds {
            let field = try Field(agentPath: effort.agentPath, tool: effort.toolPath)
            let results = try field.run()
            for (attack, found) in results {
                seconds[attack.name, default: []].append(found)
                let text = zip(Field.names, found).map { "\($0) \(told($1))" }.joined(separator: ", ")
                report("  time-to-finding, round \(round), \(attack.name): \(text)")
            }
            if results.contains(where: { $0.1[0] == nil }) {
                report("  time-to-finding, round \(round), the agent said: \(field.lastWords)")
            }
        }
        return (Attack.quick + Attack.slow).map { attack in
            let found = seconds[attack.name] ?? []
            let peers = (1..<Field.names.count).map { tool in
                "\(Field.names[tool]) \(told(median(found.map { $0[tool] }, else: .infinity)))"
            }
            // Who has not found it by then may find it later.
            let ours = median(found.map { $0[0] }, else: attack.patience)
            return Row(
                "time to finding, \(attack.name)", unit: "s", ours: ours, bound: attack.bound,
                beside: peers.joined(separator: ", "))
        }
    }

    private static func median(_ seconds: [Double?], else never: Double) -> Double {
        var samples = Samples()
        for value in seconds { samples.add(value ?? never) }
        return samples.median
    }

    private static func told(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite else { return "not found" }
        return ResultTable.number(seconds) + " s"
    }

    /// A host, its servers, its attackers and all who watch it.
    private final class Field {
        static let names = [AgentAlerts.name, Psad.name, FastNetMon.name]

        private let ours: AgentAlerts
        private let tools: [any FindingTool]
        private var servers: [AgentProcess] = []
        /// The last, for it is taken down when nobody is in it any more.
        private let host: SensedHost

        init(agentPath: String, tool: String) throws {
            host = try SensedHost(agentPath: agentPath, tool: tool)
            ours = try AgentAlerts(host)
            tools = [ours, try Psad(host), try FastNetMon(host)]
            let topology = host.topology
            for namespace in [topology.router, topology.server] {
                servers.append(
                    try AgentProcess(
                        [
                            "nsenter", "--net=/run/netns/\(namespace)", "socat", "TCP4-LISTEN:80,fork,reuseaddr",
                            "EXEC:cat",
                        ], environment: [], output: "\(host.scratch.path)/\(namespace).log"))
            }
            let attackers = (Attack.quick + Attack.slow).compactMap(\.source).filter { $0 != Topology.serverAddress }
            try Command.run(
                ["ip", "-n", topology.client, "-batch", "-"],
                input: attackers.map { "addr add \($0)/24 dev c0\n" }.joined())
            try Command.run(
                ["ip", "-n", topology.router, "-batch", "-"],
                input: "route add default via \(Topology.clientAddress)\n"
                    + attackers.map { "neigh replace \($0) lladdr \(Topology.clientMAC) dev n0 nud permanent\n" }
                    .joined())
            // psad and FastNetMon look around for so long before they watch.
            Clocks.sleep(nanoseconds: 6_000_000_000)
        }

        deinit {
            for server in servers { server.kill() }
        }

        private struct Hunt {
            let run: RunningAttack
            let before: [Int]
            /// Seconds that each needed.
            var found: [Double?]

            func isOver(_ tool: Int) -> Bool {
                guard let begin = run.firstPacket else { return false }
                return found[tool] != nil || Field.now > begin + UInt64(run.attack.patience * 1e9)
            }

            var isOver: Bool { found.indices.allSatisfy(isOver) }
        }

        private static var now: UInt64 { Clocks.nanoseconds(CLOCK_REALTIME) }

        /// Seconds until each found each attack, in the order of `names`.
        func run() throws -> [(Attack, [Double?])] {
            var slow: [Hunt] = []
            for attack in Attack.slow { slow = try begin(attack, beside: slow) }
            var results: [(Attack, [Double?])] = []
            for attack in Attack.quick {
                slow = try begin(attack, beside: slow)
                while let last = slow.last, !last.isOver { look(&slow) }
                let hunt = slow.removeLast()
                hunt.run.stop()
                results.append((attack, hunt.found))
            }
            while !slow.allSatisfy(\.isOver) { look(&slow) }
            try host.requireAgent()
            return results + slow.map { ($0.run.attack, $0.found) }
        }

        /// Another hunt behind those that go on, once its first packet is there.
        private func begin(_ attack: Attack, beside others: [Hunt]) throws -> [Hunt] {
            let before = tools.map { $0.findings(of: attack) }
            let run = try RunningAttack(
                attack, in: host.topology, output: "\(host.scratch.path)/attack\(attack.source ?? attack.target)")
            var hunts = others + [Hunt(run: run, before: before, found: tools.map { _ in nil })]
            let end = Clocks.wall + 10_000_000_000
            while run.firstPacket == nil {
                guard Clocks.wall < end else { throw BenchError("\(attack.name): no packet within ten seconds") }
                look(&hunts)
            }
            return hunts
        }

        private func look(_ hunts: inout [Hunt]) {
            for hunt in hunts.indices {
                for tool in tools.indices where !hunts[hunt].isOver(tool) {
                    let count = tools[tool].findings(of: hunts[hunt].run.attack)
                    guard count > hunts[hunt].before[tool], let begin = hunts[hunt].run.firstPacket else { continue }
                    hunts[hunt].found[tool] = Double(Field.now - begin) / 1e9
                }
            }
            Clocks.sleep(nanoseconds: 5_000_000)
        }

        /// For messages: the alerts, and the end of the log.
        var lastWords: String { "\(ours.summary); \(host.logEnd)" }
    }
}
