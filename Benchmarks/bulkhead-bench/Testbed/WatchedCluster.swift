// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// What is in a cluster besides what was made up: a server on the node that is measured, and pods elsewhere of which some
/// may reach it.
struct WatchedCluster: FieldContent {
    static let node = "bench"
    static let port: UInt16 = 7001
    static let otherPort: UInt16 = 7002

    /// What else the agent's configuration says.
    let settings: String

    /// A node of the cluster that a kubeconfig names.
    init(kubeconfig: String) {
        settings = """
            nodeName: \(Self.node)
            kubernetes: {kubeconfig: \(kubeconfig)}
            tables: {policyEntries: 262144}
            """
    }

    init(settings: String) { self.settings = settings }

    func files() -> [(name: String, text: String)] { [] }
    func changing(_ variant: Int) -> String { "" }

    /// The server; what else is on this node is no pod of the cluster.
    func workloadsFile(endpoints: Int) -> String {
        "workloads:\n"
            + (0..<endpoints).map { number in
                """
                - {name: server-\(number), namespace: bench, interface: v\(number), labels: {app: server},
                   addresses: ["\(RuleSet.text(AgentField.address(number)))"]}

                """
            }.joined()
    }

    /// The port of the server is open to one peer, and to nobody else: pods with the label `role: friend`.
    static func policy(
        port: UInt16 = port, from peer: String = #"{"podSelector":{"matchLabels":{"role":"friend"}}}"#
    ) -> String {
        """
        {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"server","namespace":"bench"},
         "spec":{"podSelector":{"matchLabels":{"app":"server"}},"policyTypes":["Ingress"],"ingress":[{"from":[\(peer)],"ports":[{"port":\(port),"protocol":"TCP"}]}]}}
        """
    }

    static let policyPath = "apis/networking.k8s.io/v1/namespaces/bench/networkpolicies/server"

    /// A pod elsewhere.
    struct Peer {
        var number: Int
        var isFriend: Bool
        var address: UInt32

        /// `address`: nil: one of its own.
        init(_ number: Int, isFriend: Bool, address: UInt32? = nil) {
            self.number = number
            self.isFriend = isFriend
            self.address = address ?? 0x64c8_0000 + UInt32(number)
        }

        var path: String { "api/v1/namespaces/bench/pods/peer-\(number)" }

        var object: String {
            """
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"peer-\(number)","namespace":"bench",
             "labels":{"app":"peer","role":"\(isFriend ? "friend" : "stranger")"}},
             "spec":{"nodeName":"node-00001","containers":[{"name":"c"}]},
             "status":{"phase":"Running","podIP":"\(RuleSet.text(address))","podIPs":[{"ip":"\(RuleSet.text(address))"}]}}
            """
        }

        var question: VerdictWatch.Question { .init(peer: address, port: WatchedCluster.port, isOpen: isFriend) }
    }
}

/// An agent that watches a cluster in memory, all in one namespace.
final class WatchedField {
    let field: AgentField
    let api: ClusterAPI
    private let scratch: ScratchDirectory

    init(_ effort: Effort, size: (Int, Int, Int)) throws {
        scratch = try ScratchDirectory()
        let kubeconfig = scratch.path + "/kubeconfig"
        field = try AgentField(
            agentPath: effort.agentPath, endpoints: 1, corpus: WatchedCluster(kubeconfig: kubeconfig))
        api = try ClusterAPI(path: effort.clusterPath, in: field.host, kubeconfig: kubeconfig, size: size)
        try api.put("api/v1/namespaces/bench", #"{"metadata":{"labels":{"team":"bench"}}}"#)
        try api.put(WatchedCluster.policyPath, WatchedCluster.policy())
    }

    /// Puts pods in, many at once.
    func put(_ peers: [WatchedCluster.Peer]) throws {
        try api.call("POST", "objects", "[\(peers.map(\.object).joined(separator: ","))]")
    }

    /// Starts the agent and waits until it judges by the cluster; returns the milliseconds.
    ///
    /// `witness`: a friend.
    func start(_ witness: WatchedCluster.Peer) throws -> Double {
        let begin = Clocks.wall
        _ = try field.start()
        let end = begin + 300_000_000_000
        while field.pinnedLinks < 2 {
            guard Clocks.wall < end else { throw BenchError("no link was attached") }
            Clocks.sleep(nanoseconds: 10_000_000)
        }
        let stranger = VerdictWatch.Question(peer: 0x64c7_0001, port: WatchedCluster.port, isOpen: false)
        return try VerdictWatch(field, [stranger, witness.question]).waitUntilRight(since: begin, seconds: 300)
    }
}
