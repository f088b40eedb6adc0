// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import FoundationEssentials
import Glibc

/// What a real agent finds: policies, workloads, and what its configuration says besides paths.
protocol FieldContent {
    /// File name and content of the policies that stay.
    func files() -> [(name: String, text: String)]
    /// Content of the file that changes.
    func changing(_ variant: Int) -> String
    func workloadsFile(endpoints: Int) -> String
    var settings: String { get }
}

extension FieldContent {
    var settings: String { "" }
}

/// A host full of workloads for a real agent: a namespace in which it runs, and one behind all the workloads' links.
///
/// Its directories, socket and pins are the field's own and go with it.
final class AgentField {
    let host: String
    let endpoints: Int
    let pins: String
    private let far: String
    private let agentPath: String
    private let scratch: ScratchDirectory
    private let content: any FieldContent
    private var process: AgentProcess?

    /// `label`: tells fields of one run apart.
    init(agentPath: String, endpoints: Int, corpus: any FieldContent, label: String = "") throws {
        guard unsafe access(agentPath, X_OK) == 0 else {
            throw BenchError("no agent at \(agentPath): 'make build' makes it, --agent PATH names another")
        }
        self.agentPath = agentPath
        self.endpoints = endpoints
        content = corpus
        host = "bulkhead-bench-\(getpid())-h\(label)"
        far = "bulkhead-bench-\(getpid())-w\(label)"
        pins = "/sys/fs/bpf/bulkhead-bench-\(getpid())\(label)"
        scratch = try ScratchDirectory()
        try makeLinks()
        try writeFiles()
    }

    deinit {
        process?.kill()
        removePins(below: pins)
        for name in [host, far] { _ = try? Command.run(["ip", "netns", "delete", name]) }
    }

    /// Address of a workload.
    static func address(_ number: Int) -> UInt32 { 0x0ae4_0000 + UInt32(number) + 1 }

    var pinnedVersion: String { "\(pins)/v\(BULKHEAD_ABI_VERSION)" }

    /// Starts the agent and waits until it says that its state is in force; returns the milliseconds.
    func start() throws -> Double {
        let listener = try ReadinessListener(path: scratch.path + "/notify")
        let begin = Clocks.wall
        let started = try AgentProcess(
            ["nsenter", "--net=/run/netns/\(host)", agentPath, "--config", scratch.path + "/agent.yaml"],
            environment: ["NOTIFY_SOCKET=\(listener.path)"], output: scratch.path + "/agent.log")
        process = started
        guard try listener.waitUntilReady(seconds: 120) else {
            let log = (try? String(contentsOfFile: scratch.path + "/agent.log", encoding: .utf8)) ?? ""
            throw BenchError("the agent was not ready within two minutes; its log ends: \(log.suffix(600))")
        }
        return Double(Clocks.wall - begin) / 1e6
    }

    /// Ends the agent without a chance to tidy up; what it pinned goes on working.
    func kill() {
        process?.kill()
        process = nil
    }

    /// Number of a workload's interface in the agent's namespace.
    func interfaceIndex(of workload: Int) throws -> UInt32 {
        try Topology.interfaceIndex("v\(workload)", in: host)
    }

    /// Links that carry programs; two for each attached endpoint.
    var pinnedLinks: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: pinnedVersion + "/links"))?.count ?? 0
    }

    /// Path of a pinned program; a fingerprint of its build follows its name.
    func pinnedProgram(_ name: String) -> String? {
        let folder = pinnedVersion + "/programs"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.first { $0.hasPrefix(name + "-") }.map { "\(folder)/\($0)" }
    }

    var memory: AgentProcess.Memory {
        get throws {
            guard let process else { throw BenchError("the agent is not running") }
            return try process.memory
        }
    }

    /// The most that was resident since the start, in MB.
    var peakMegabytes: Double {
        get throws {
            guard let process else { throw BenchError("the agent is not running") }
            return try process.peakMegabytes
        }
    }

    var cpuMilliseconds: Double {
        get throws {
            guard let process else { throw BenchError("the agent is not running") }
            return try process.cpuMilliseconds
        }
    }

    /// Of the tables that packets read; moves with each commit.
    var generation: UInt32 {
        get throws {
            guard let table = try FileDescriptor.pinned(at: pinnedVersion + "/maps/config_map") else {
                throw BenchError("the agent has pinned nothing under \(pinnedVersion)")
            }
            let configuration = try MappedArray(table, name: "config_map")
            return configuration.loadAcquiring(at: 4 + 4 * Int(configuration.loadAcquiring(at: 0) & 1))
        }
    }

    /// Puts another workloads file in place, whole.
    func putWorkloads(_ text: String) throws {
        let aside = scratch.path + "/next-workloads.yaml", path = scratch.path + "/workloads.yaml"
        try text.write(toFile: aside, atomically: false, encoding: .utf8)
        guard unsafe rename(aside, path) == 0 else { throw BenchError("cannot put \(path) in place: errno \(errno)") }
    }

    /// Puts a variant of the changing policy in place, whole: written aside and renamed.
    ///
    /// Returns when that was, by `Clocks.wall`; how long the disk takes for the file is not the agent's doing.
    @discardableResult
    func change(to variant: Int) throws -> UInt64 {
        let aside = "\(scratch.path)/next.yaml", path = "\(scratch.path)/policies/changing.yaml"
        try content.changing(variant).write(toFile: aside, atomically: false, encoding: .utf8)
        let begin = Clocks.wall
        guard unsafe rename(aside, path) == 0 else { throw BenchError("cannot put \(path) in place: errno \(errno)") }
        return begin
    }

    private func makeLinks() throws {
        for name in [host, far] { try Command.run(["ip", "netns", "add", name]) }
        let pairs = (0..<endpoints).map { "link add v\($0) netns \(host) type veth peer name p\($0) netns \(far)\n" }
        try Command.run(["ip", "-batch", "-"], input: pairs.joined())
        try Command.run(
            ["ip", "-n", host, "-batch", "-"],
            input: "link set lo up\n" + (0..<endpoints).map { "link set v\($0) up\n" }.joined())
    }

    private func writeFiles() throws {
        let path = scratch.path
        for folder in ["policies", "state", "run"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(folder)", withIntermediateDirectories: false)
        }
        for file in content.files() {
            try file.text.write(toFile: "\(path)/policies/\(file.name)", atomically: false, encoding: .utf8)
        }
        try change(to: 0)
        try content.workloadsFile(endpoints: endpoints).write(
            toFile: "\(path)/workloads.yaml", atomically: false, encoding: .utf8)
        try """
        policyDirectory: \(path)/policies
        workloadsFile: \(path)/workloads.yaml
        stateDirectory: \(path)/state
        runDirectory: \(path)/run
        bpfDirectory: \(pins)
        podmanSocket: ""
        dockerSocket: ""
        apiGroup: ""
        \(content.settings)

        """.write(toFile: "\(path)/agent.yaml", atomically: false, encoding: .utf8)
    }
}
