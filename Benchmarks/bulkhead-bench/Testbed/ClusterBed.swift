// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Nodes with a real agent each, on a network that they share with who tells them of their cluster.
final class ClusterBed {
    private static let apiAddress: UInt32 = 0x0ae1_fa64

    /// A pod, or a workload, that only the policy lets through.
    let friend = WatchedCluster.Peer(1, isFriend: true).address
    private let fabric: String
    private var fields: [AgentField] = []
    private var api: ClusterAPI?
    private var members: [AgentProcess] = []
    private let scratch: ScratchDirectory

    private init() throws {
        scratch = try ScratchDirectory()
        fabric = "bulkhead-bench-\(getpid())-f"
        try Command.run(["ip", "netns", "add", fabric])
        try Command.run(
            ["ip", "-n", fabric, "-batch", "-"],
            input: """
                link set lo up
                link add fab0 type bridge
                link set fab0 up
                address add \(RuleSet.text(Self.apiAddress))/24 dev fab0

                """)
    }

    deinit {
        fields = []
        for member in members { member.kill() }
        api = nil
        _ = try? Command.run(["ip", "netns", "delete", fabric])
    }

    /// Nodes of a Kubernetes cluster.
    static func kubernetes(_ effort: Effort, nodes: Int) throws -> ClusterBed {
        let bed = try ClusterBed()
        let kubeconfig = bed.scratch.path + "/kubeconfig"
        bed.api = try ClusterAPI(
            path: effort.clusterPath, in: bed.fabric, address: apiAddress, kubeconfig: kubeconfig, size: (3, 300, 100))
        try bed.addNodes(effort, nodes) { number in
            """
            nodeName: bench-\(number)
            kubernetes: {kubeconfig: \(kubeconfig)}
            """
        }
        let peer = WatchedCluster.Peer(1, isFriend: true)
        try bed.api?.put("api/v1/namespaces/bench", #"{"metadata":{"labels":{"team":"bench"}}}"#)
        try bed.api?.call("POST", "objects", "[\(peer.object)]")
        return bed
    }

    /// Nodes that share a store: one member of etcd.
    static func etcd(_ effort: Effort, nodes: Int) throws -> ClusterBed {
        let bed = try ClusterBed()
        let place = "http://\(RuleSet.text(apiAddress))"
        bed.members.append(
            try AgentProcess(
                [
                    "nsenter", "--net=/run/netns/\(bed.fabric)", "etcd", "--data-dir", "\(bed.scratch.path)/etcd",
                    "--log-level", "error", "--name", "m", "--listen-client-urls", "\(place):2379",
                    "--advertise-client-urls", "\(place):2379", "--listen-peer-urls", "\(place):2380",
                    "--initial-advertise-peer-urls", "\(place):2380", "--initial-cluster", "m=\(place):2380",
                ], environment: [], output: "\(bed.scratch.path)/etcd.log"))
        try bed.addNodes(effort, nodes) { number in
            """
            nodeName: bench-\(number)
            cluster: {endpoints: ["\(place):2379"], networks: [192.0.2.0/24]}
            """
        }
        return bed
    }

    /// Starts all agents.
    func start() throws -> [AgentField] {
        for field in fields { _ = try field.start() }
        for field in fields {
            let end = Clocks.wall + 60_000_000_000
            while field.pinnedLinks < 2 * field.endpoints {
                guard Clocks.wall < end else { throw BenchError("not all links of a node were attached") }
                Clocks.sleep(nanoseconds: 10_000_000)
            }
        }
        return fields
    }

    /// Puts the policy in place that opens one port to the friend.
    func put(policyWith port: UInt16) throws {
        guard api == nil else {
            try api?.put(WatchedCluster.policyPath, WatchedCluster.policy(port: port))
            return
        }
        let peer = #"{"ipBlock":{"cidr":"\#(RuleSet.text(friend))/32"}}"#
        let value = StoredPolicy(text: WatchedCluster.policy(port: port, from: peer))
        let put = [
            "key": Data("/bulkhead/v1/policies/NetworkPolicy/bench/server".utf8).base64EncodedString(),
            "value": try JSONEncoder().encode(value).base64EncodedString(),
        ]
        let body = String(decoding: try JSONEncoder().encode(put), as: UTF8.self)
        let call = HTTPCall(address: Self.apiAddress, port: 2379)
        _ = try BenchThread.run(in: .named(fabric), cpu: nil) { try call.send("POST", "/v3/kv/put", body) }
    }

    /// As docs/reference/cluster-store.md has it.
    private struct StoredPolicy: Encodable {
        let version = 1
        let text: String
        let appliedBy = "bench"
        let appliedAt = "2026-01-01T00:00:00Z"
    }

    private func addNodes(_ effort: Effort, _ count: Int, _ settings: (Int) -> String) throws {
        for number in 1...count {
            let field = try AgentField(
                agentPath: effort.agentPath, endpoints: 1, corpus: WatchedCluster(settings: settings(number)),
                label: "\(number)")
            fields.append(field)
            try Command.run(
                ["ip", "-batch", "-"],
                input: "link add f\(number) netns \(fabric) type veth peer name up0 netns \(field.host)\n")
            try Command.run(
                ["ip", "-n", fabric, "-batch", "-"], input: "link set f\(number) master fab0\nlink set f\(number) up\n")
            try Command.run(
                ["ip", "-n", field.host, "-batch", "-"],
                input: "address add 10.225.250.\(number)/24 dev up0\nlink set up0 up\n")
        }
    }
}
