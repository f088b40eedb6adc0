// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import Synchronization
import Testing

/// An agent that answers as told, and remembers what it was asked.
final class FakeSurroundings: PluginSurroundings {
    struct Content {
        /// Nil: no agent answers.
        var answer: AgentAnswer? = AgentAnswer(status: 200, body: ["state": .string("inForce")])
        /// The agent comes back between a call and what waits for it.
        var comesBack = false
        var isPendingFull = false
        var asked: [AgentRequest] = []
        var sockets: [String] = []
        var seconds: [Int] = []
        var pending: [PendingChange] = []
        var directories: [String] = []
    }

    let content = Mutex(Content())

    func ask(_ request: AgentRequest, of socketPath: String, within seconds: Int) throws(AgentDown) -> AgentAnswer {
        let answer = content.withLock { content in
            content.asked.append(request)
            content.sockets.append(socketPath)
            content.seconds.append(seconds)
            return content.answer
        }
        guard let answer else { throw AgentDown("connection refused") }
        return answer
    }

    func postpone(
        _ change: PendingChange, in directory: String, unless isTaken: () -> Bool
    ) throws(CNIError) {
        let (comesBack, isFull) = content.withLock { ($0.comesBack, $0.isPendingFull) }
        if isFull { throw CNIError(.cannotRead, "no space left on device") }
        if comesBack { content.withLock { $0.answer = AgentAnswer(status: 200, body: [:]) } }
        guard !isTaken() else { return }
        content.withLock { content in
            content.pending.append(change)
            content.directories.append(directory)
        }
    }

    var asked: [AgentRequest] { content.withLock { $0.asked } }
    var pending: [PendingChange] { content.withLock { $0.pending } }

    func answer(_ status: Int, _ body: JSONObject = [:]) {
        content.withLock { $0.answer = AgentAnswer(status: status, body: body) }
    }

    func goDown() { content.withLock { $0.answer = nil } }
}

/// One call of the plugin.
struct Call {
    let surroundings: FakeSurroundings
    let outcome: ChainedPlugin.Outcome
    /// Nil: nothing was printed.
    let printed: JSONObject?

    static let environment = [
        "CNI_CONTAINERID": "c0ffee", "CNI_NETNS": "/run/netns/x", "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c0ffee;"
            + "K8S_POD_UID=u-1;other;=x",
    ]

    static let previous = """
        {"cniVersion": "1.0.0", "interfaces": [{"name": "br0", "mac": "0a:58:0a:01:00:01"},
          {"name": "veth1", "mac": "0a:58:0a:01:00:02"},
          {"name": "eth0", "mac": "0a:58:0a:01:00:03", "sandbox": "/run/netns/x"}],
         "ips": [{"address": "10.1.0.3/24", "gateway": "10.1.0.1", "interface": 2},
           {"address": "10.9.0.3/24", "interface": 1}, {"address": "fd00::3/64", "interface": 2}],
         "routes": [{"dst": "0.0.0.0/0"}], "dns": {}, "x-later": {"big": 12345678901234567890, "e": 1e400}}
        """

    static func configuration(
        _ version: String = "1.0.0", previous: String? = Call.previous, settings: String? = nil, more: String = ""
    ) -> String {
        let own = settings.map { ", \"bulkhead\": \($0)" } ?? ""
        let result = previous.map { ", \"prevResult\": \($0)" } ?? ""
        return """
            {"cniVersion": "\(version)", "name": "podnet", "type": "bulkhead-cni"\(own)\(result)\(more)}
            """
    }

    init(
        _ command: String?, _ input: String, environment: [String: String?] = [:],
        surroundings: FakeSurroundings = FakeSurroundings()
    ) throws {
        var all = Call.environment
        all["CNI_COMMAND"] = command
        for (key, value) in environment { all[key] = value }
        self.surroundings = surroundings
        outcome = ChainedPlugin(surroundings).run(environment: all, input: Array(input.utf8))
        printed = outcome.output.isEmpty ? nil : try JSONValue(json: Array(outcome.output.utf8)).object
    }

    /// The specification's code; nil: it went well.
    var code: Int? { outcome.status == 0 ? nil : printed?["code"]?.integer }
}
