// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// A host with an agent that senses and enforces nothing (the router), and a workload `shop` behind it (the server).
final class SensedHost {
    let topology: Topology
    let scratch: ScratchDirectory
    private let tool: String
    private let pins: String
    private var agent: AgentProcess?

    init(agentPath: String, tool: String) throws {
        topology = try Topology()
        self.tool = tool
        pins = "/sys/fs/bpf/bulkhead-bench-\(getpid())"
        scratch = try ScratchDirectory()
        try start(agentPath)
    }

    deinit {
        agent?.kill()
        removePins(below: pins)
    }

    private func start(_ agentPath: String) throws {
        let path = scratch.path
        for folder in ["policies", "state", "run"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(folder)", withIntermediateDirectories: false)
        }
        try "workloads: [{name: shop, netns: /run/netns/\(topology.server), labels: {app: shop}}]\n"
            .write(toFile: "\(path)/workloads.yaml", atomically: false, encoding: .utf8)
        try """
        policyDirectory: \(path)/policies
        workloadsFile: \(path)/workloads.yaml
        stateDirectory: \(path)/state
        runDirectory: \(path)/run
        bpfDirectory: \(pins)
        podmanSocket: ""
        dockerSocket: ""
        apiGroup: ""
        shield: {mode: monitor, sensors: true, devices: [n0]}

        """.write(toFile: "\(path)/agent.yaml", atomically: false, encoding: .utf8)
        let listener = try ReadinessListener(path: path + "/notify")
        agent = try AgentProcess(
            ["nsenter", "--net=/run/netns/\(topology.router)", agentPath, "--config", path + "/agent.yaml"],
            environment: ["NOTIFY_SOCKET=\(listener.path)"], output: path + "/agent.log")
        guard try listener.waitUntilReady(seconds: 60) else {
            throw BenchError("the agent was not ready within a minute; its log ends: \(logEnd)")
        }
    }

    /// Throws if the agent has ended by itself: what it found until then is no measurement of what it finds.
    func requireAgent() throws {
        guard agent?.isAlive == true else { throw BenchError("the agent ended by itself; its log ends: \(logEnd)") }
    }

    /// For messages.
    var logEnd: Substring {
        ((try? String(contentsOfFile: scratch.path + "/agent.log", encoding: .utf8)) ?? "").suffix(600)
    }

    /// What the agent answers, in JSON.
    func ask(_ arguments: String...) throws -> String {
        // `status` leaves with 1 where it has something to say.
        try Command.run(toolCommand(arguments), acceptingFailure: true).output
    }

    /// The command-line tool, asking this agent for JSON.
    func toolCommand(_ arguments: [String]) -> [String] {
        ["env", "BULKHEAD_SOCKET=\(scratch.path)/run/bulkhead.sock", tool] + arguments + ["-o", "json"]
    }
}
