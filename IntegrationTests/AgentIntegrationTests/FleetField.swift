// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed

/// Nodes without Kubernetes: each a host with an agent and workloads of its own, routed to each other and to real members of
/// etcd over a network that they share.
struct FleetField {
    /// A node of the fleet.
    struct Node {
        let host: TestHost
        let agent: TestAgent
        let name: String

        var control: ControlClient { ControlClient(transport: SocketTransport(path: agent.socketPath)) }

        func start() async throws -> SpawnedProcess {
            let process = try agent.start()
            try await eventually("the agent of \(name) answers", within: .seconds(20)) {
                if let status = process.exitStatus {
                    throw TestBedError("the agent of \(name) ended with status \(status): \(process.errors)")
                }
                return (try? await control.status()) != nil
            }
            return process
        }

        /// Waits for a state of what this node says of its fleet.
        func says(_ what: String, within limit: Duration = .seconds(30), _ condition: (StatusReport) -> Bool)
            async throws
        {
            var last: StatusReport?
            do {
                try await eventually("\(name): \(what)", within: limit) {
                    last = try await control.status()
                    return last.map(condition) ?? false
                }
            } catch {
                throw TestBedError("\(error); it says \(String(describing: last?.cluster)) \(last?.problems ?? [])")
            }
        }
    }

    /// Short times, so that tests need not wait.
    static let configuration = "leaseTime: 5s\n  grace: 2s"

    let bed: TestBed
    let fabric: TestNamespace
    let etcd: TestEtcd
    private(set) var nodes: [Node] = []
    /// Addresses of the store's members.
    private let members: [String]

    /// The agents are not started.
    ///
    /// `configuration`: more lines of `cluster`, each indented by two.
    init(
        _ bed: TestBed, nodes names: [String] = ["a", "b"], members: Int = 1,
        configuration: String = FleetField.configuration
    ) async throws {
        self.bed = bed
        fabric = try await bed.namespace("fab", isForwarding: true)
        try await bed.ipBatch(
            fabric,
            ["link add fab0 type bridge", "link set fab0 up"]
                + (1...members).map { "address add \(Self.address(bed, 100 + $0))/24 dev fab0" })
        self.members = (1...members).map { Self.address(bed, 100 + $0) }
        let places = self.members.map { [fabric] in (namespace: fabric, address: $0) }
        etcd = try await TestEtcd(bed, in: places)
        for (place, name) in names.enumerated() {
            nodes.append(try await makeNode(name, place + 1, configuration))
        }
        try await route()
    }

    /// On the network that the nodes share.
    private static func address(_ bed: TestBed, _ number: Int) -> String { "10.\(bed.byte).250.\(number)" }

    private func makeNode(_ name: String, _ part: Int, _ configuration: String) async throws -> Node {
        let host = try await bed.host("h\(part)", part: part)
        try await bed.veth(
            fabric, "f\(part)", to: host.namespace, "up0", peerAddresses: ["\(Self.address(bed, part))/24"])
        try await bed.ipBatch(fabric, ["link set f\(part) master fab0"])
        let agent = try await host.agent(
            "agent\(part)",
            configuration: """
                nodeName: \(name)
                cluster:
                  endpoints: [\(etcd.endpoints.joined(separator: ", "))]
                  \(configuration)
                """)
        return Node(host: host, agent: agent, name: name)
    }

    /// Each node knows the way to the workloads of all others.
    private func route() async throws {
        for node in nodes {
            for other in nodes where other.host.part != node.host.part {
                guard let part = other.host.part else { continue }
                try await bed.ipBatch(
                    node.host.namespace,
                    ["route add 10.\(bed.byte).\(part).0/24 via \(Self.address(bed, part))"])
            }
        }
    }

    /// Makes the store silent for a node, or heard again; traffic of workloads passes.
    func cut(_ node: Node, _ isCut: Bool) async throws {
        for member in members {
            try await bed.ipBatch(
                node.host.namespace, ["route \(isCut ? "add" : "del") blackhole \(member)/32"])
        }
    }

    /// Puts a policy into the store as an agent would.
    func put(policy name: String, _ text: String, version: Int = 1) async throws {
        let escaped = text.split(separator: "\n").joined(separator: "\\n").split(separator: "\"").joined(
            separator: "\\\"")
        try await etcd.control(
            "put", "/bulkhead/v1/policies/NetworkPolicy/shop/\(name)",
            #"{"appliedAt":"2026-01-01T00:00:00Z","appliedBy":"test","text":"\#(escaped)","version":\#(version)}"#
        ).checked()
    }

    /// Lets workloads with this label, and nobody else, reach tcp/80 of the server.
    static func allow(_ app: String) -> String {
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: server, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: server}}
          policyTypes: [Ingress]
          ingress: [{from: [{podSelector: {matchLabels: {app: \(app)}}}], ports: [{port: 80}]}]
        """
    }
}
