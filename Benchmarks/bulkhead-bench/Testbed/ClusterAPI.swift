// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// An API server in memory, as a process in a namespace: that of `Tests/KubernetesDouble`, with a made-up cluster in it.
final class ClusterAPI {
    static let port: UInt16 = 16_443

    private let namespace: String
    private let call: HTTPCall
    private let process: AgentProcess
    private let scratch: ScratchDirectory

    /// Starts it and waits until it answers.
    ///
    /// `kubeconfig`: where to write what agents read to find it. `size`: nodes, pods, policies.
    init(
        path: String, in namespace: String, address: UInt32 = 0x7f00_0001, kubeconfig: String,
        size: (Int, Int, Int) = (0, 0, 0)
    ) throws {
        guard unsafe access(path, X_OK) == 0 else {
            throw BenchError("no kubernetes-double at \(path): scripts/bench makes it beside the agent")
        }
        self.namespace = namespace
        call = HTTPCall(address: address, port: Self.port)
        scratch = try ScratchDirectory()
        process = try AgentProcess(
            [
                "nsenter", "--net=/run/netns/\(namespace)", path, "--host", RuleSet.text(address), "--port",
                "\(Self.port)", "--kubeconfig", kubeconfig, "--nodes", "\(size.0)", "--pods", "\(size.1)", "--policies",
                "\(size.2)",
            ], environment: [], output: scratch.path + "/api.log")
        let end = Clocks.wall + 120_000_000_000
        while (try? call("GET", "counters")) == nil {
            guard process.isAlive, Clocks.wall < end else {
                let log = (try? String(contentsOfFile: scratch.path + "/api.log", encoding: .utf8)) ?? ""
                throw BenchError("the API server did not start: \(log.suffix(600))")
            }
            Clocks.sleep(nanoseconds: 100_000_000)
        }
    }

    deinit { process.kill() }

    var memory: AgentProcess.Memory { get throws { try process.memory } }

    /// Puts an object, whole with its status, at a path of the API.
    func put(_ path: String, _ object: String) throws { try call("PUT", "objects/\(path)", object) }

    func remove(_ path: String) throws { try call("DELETE", "objects/\(path)") }

    /// How many watches of pods were begun.
    var watchesOfPods: Int {
        get throws {
            let counters = try call("GET", "counters")
            guard let found = counters.firstRange(of: "\"watch pods 200\":") else { return 0 }
            return Int(counters[found.upperBound...].prefix { $0.isNumber }) ?? 0
        }
    }

    /// Has it do something: `compact`, `down`; see Tests/KubernetesDouble/Control.
    @discardableResult
    func call(_ method: String, _ path: String, _ body: String = "") throws -> String {
        let call = call
        return try BenchThread.run(in: .named(namespace), cpu: nil) { try call.send(method, "/_double/\(path)", body) }
    }
}
