// SPDX-License-Identifier: Apache-2.0

import AgentCore
import BPFRuntime
import CDatapathABI
import Dispatch
import FoundationEssentials
import Glibc
import KernelDatapath
import LinuxHost
import Synchronization
import TableEncoding

/// The agent's state over the kernel's tables, in this process, fed as its sources would feed it.
///
/// Directories and pins are the field's own and go with it.
final class ScaleField {
    static let listLength = 100_000

    private let cluster: ScaleCluster
    private let scratch: ScratchDirectory
    private let pins: String
    private let locals: [Workload]
    private var agent: EmbeddedAgent?

    init(_ cluster: ScaleCluster) throws {
        self.cluster = cluster
        locals = cluster.localWorkloads()
        scratch = try ScratchDirectory()
        pins = "/sys/fs/bpf/bulkhead-bench-\(getpid())-scale"
        for folder in ["policies", "state", "run"] {
            try FileManager.default.createDirectory(
                atPath: "\(scratch.path)/\(folder)", withIntermediateDirectories: false)
        }
        for file in cluster.files() { try write(file.text, to: file.name) }
        try write(cluster.changing(0), to: ScaleCluster.changingFile)
    }

    deinit {
        agent = nil
        // Nothing is attached.
        removePins(below: pins)
    }

    /// How much is in force.
    var size: EmbeddedAgent.Size {
        get throws {
            let agent = try running()
            return Waiting.value { await agent.size() }
        }
    }

    var problem: String {
        agent.map { agent in Waiting.value { await agent.problems() } }?.joined(separator: "; ") ?? "not started"
    }

    private func running() throws -> EmbeddedAgent {
        guard let agent else { throw BenchError("the agent has not been started") }
        return agent
    }

    /// Bytes of the kernel's policy tables, both banks, used or not, as the kernel counts them.
    func policyTableBytes() throws -> Double {
        let folder = "\(pins)/v\(BULKHEAD_ABI_VERSION)/maps/"
        return try [KernelTable.policyHeads, .policyEntries, .subjects].reduce(0) { sum, table in
            guard let file = try FileDescriptor.pinned(at: folder + table.rawValue) else {
                throw BenchError("there is no map \(table.rawValue) under \(folder)")
            }
            let path = "/proc/self/fdinfo/\(file.rawValue)"
            let text = String(decoding: try readFile(path, bytesMax: 1 << 16), as: UTF8.self)
            let line = text.split(separator: "\n").first { $0.hasPrefix("memlock:") } ?? ""
            guard let bytes = Double(line.filter(\.isNumber)) else { throw BenchError("\(path) names no size") }
            return sum + bytes
        }
    }

    /// Reads and compiles everything, and commits it.
    func start() throws {
        var configuration = AgentConfiguration()
        configuration.policyDirectory = scratch.path + "/policies"
        configuration.workloadsFile = scratch.path + "/none"
        configuration.stateDirectory = scratch.path + "/state"
        configuration.runDirectory = scratch.path + "/run"
        configuration.bpfDirectory = pins
        (configuration.sizes.policyEntries, configuration.sizes.policyBuckets) = (1 << 18, 1 << 18)
        let datapath = try Datapath(
            directory: PinDirectory(root: pins), sizes: configuration.sizes, settings: configuration.settings)
        let agent = try EmbeddedAgent(configuration: configuration, datapath: datapath)
        self.agent = agent
        let remotes = cluster.remoteWorkloads(), locals = self.locals
        Waiting.value { await agent.start(source: "bench", workloads: locals, remotes: remotes) }
    }

    /// A workload of another host in turn comes, gets other labels, moves to another address, and goes.
    func changeRemote(_ number: Int) throws {
        let workload = cluster.remotes + number / 4
        var delta = RemoteDelta()
        switch number % 4 {
        case 0: delta[ScaleCluster.remoteKey(workload)] = ScaleCluster.remote(workload)
        case 1: delta[ScaleCluster.remoteKey(workload)] = ScaleCluster.remote(workload, generation: 1)
        case 2:
            delta[ScaleCluster.remoteKey(workload)] = ScaleCluster.remote(workload, generation: 1, shift: 1 << 16)
        default: delta[ScaleCluster.remoteKey(workload)] = nil
        }
        let agent = try running()
        Waiting.value { [delta] in await agent.update(remotes: delta) }
    }

    /// One workload of this host in turn gets the labels of another application's.
    func moveLocal(_ number: Int) throws {
        let place = number % cluster.locals
        try become(ScaleCluster.local(place, application: place + 1 + number % 7), at: place)
    }

    /// One workload of this host has labels that nobody else has, so an identity and a subject of its own.
    func relabelLocal(_ number: Int) throws {
        let place = number % cluster.locals
        try become(ScaleCluster.local(place, application: place, generation: number + 1), at: place)
    }

    /// All others are as they were at first.
    private func become(_ workload: Workload, at place: Int) throws {
        var workloads = locals
        workloads[place] = workload
        let agent = try running()
        Waiting.value { [workloads] in await agent.update(source: "bench", workloads: workloads) }
    }

    func changePolicy(_ number: Int) throws {
        try write(cluster.changing(number + 1), to: ScaleCluster.changingFile)
        try announce([ScaleCluster.changingFile])
    }

    /// A group of 100 000 prefixes and 100 policies that name it; one prefix differs by variant.
    func putList(variant: Int) throws {
        let prefixes = (0..<UInt32(Self.listLength)).map { number in
            let address = number == 777 ? 0xc900_0000 + UInt32(variant) : 0xb000_0000 + number * 64
            return "  - \(RuleSet.text(address))/32\n"
        }
        let group = """
            apiVersion: cilium.io/v2
            kind: CiliumCIDRGroup
            metadata: {name: blocklist}
            spec:
              externalCIDRs:

            """
        try write(group + prefixes.joined(), to: "group.yaml")
        guard variant == 0 else { return try announce(["group.yaml"]) }
        let policies = (0..<100).map { number in
            """
            apiVersion: cilium.io/v2
            kind: CiliumNetworkPolicy
            metadata: {name: block-\(number), namespace: shop}
            spec:
              endpointSelector: {matchLabels: {app: app-\(number % ScaleCluster.applicationsHere)}}
              ingressDeny:
              - fromCIDRSet: [{cidrGroupRef: blocklist}]
                toPorts: [{ports: [{port: "\(10_000 + number)", protocol: TCP}]}]

            """
        }
        try write(policies.joined(separator: "---\n"), to: "block.yaml")
        try announce(["group.yaml", "block.yaml"])
    }

    private func announce(_ names: Set<String>) throws {
        let agent = try running()
        Waiting.value { await agent.update(policyDirectory: DirectoryChange(names: names)) }
    }

    private func write(_ text: String, to name: String) throws {
        let path = "\(scratch.path)/policies/\(name)"
        try text.write(toFile: path + ".next", atomically: false, encoding: .utf8)
        guard unsafe rename(path + ".next", path) == 0 else { throw BenchError("cannot put \(path) in place") }
    }
}

/// Lets a measurement, which runs on a thread of its own, wait for the agent's actor.
enum Waiting {
    @discardableResult
    static func value<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let answer = Answer<Value>()
        Task { answer.put(await body()) }
        return answer.take()
    }

    private final class Answer<Value: Sendable>: Sendable {
        private let value = Mutex<Value?>(nil)
        private let isThere = DispatchSemaphore(value: 0)

        func put(_ value: Value) {
            self.value.withLock { $0 = value }
            isThere.signal()
        }

        func take() -> Value {
            while true {
                isThere.wait()
                if let value = value.withLock({ $0 }) { return value }
            }
        }
    }
}
