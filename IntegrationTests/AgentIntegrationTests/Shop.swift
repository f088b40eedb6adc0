// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed

/// A small shop behind the real agent: a server, a client that may reach it, an intruder that may not.
///
/// The server speaks over both families.
struct Shop {
    let host: TestHost
    let agent: TestAgent
    let server: TestWorkload
    let client: TestWorkload
    let intruder: TestWorkload

    var control: ControlClient { ControlClient(transport: SocketTransport(path: agent.socketPath)) }

    /// What the server runs.
    enum Services {
        /// Echoes on tcp/80, tcp/81, udp/7001 and udp/7002.
        case echo
        /// nginx on tcp/80, redis on tcp/6379.
        case real
    }

    /// Builds it all, without starting the agent.
    init(_ bed: TestBed, configuration: String = "", services: Services = .echo) async throws {
        host = try await bed.host()
        agent = try await host.agent(configuration: configuration)
        server = try await host.addWorkload("srv", number: 2)
        client = try await host.addWorkload("cli", number: 3)
        intruder = try await host.addWorkload("intr", number: 4)
        let ports = services == .echo ? [80, 81] : [80, 6379]
        switch services {
        case .echo: try server.startEchoes()
        case .real:
            try server.startNginx(page: "hello from nginx")
            try server.startRedis()
        }
        try agent.writeWorkloads([
            (server, "server", ["app": "server"]), (client, "client", ["app": "client"]),
            (intruder, "intruder", ["app": "intruder"]),
        ])
        try await eventually("the server listens") {
            let first = try await client.canConnect(to: server.address4, port: ports[0])
            let second = try await client.canConnect(to: server.address6, port: ports[1])
            return first && second
        }
    }

    /// Starts the agent and waits until all three workloads are attached.
    func startAgent(_ flags: [String] = []) async throws -> SpawnedProcess {
        let process = try agent.start(flags)
        try await awaitAttached(process)
        return process
    }

    /// Waits until an agent that was started has attached all three workloads.
    func awaitAttached(_ process: SpawnedProcess) async throws {
        try await eventually("the agent has attached the workloads", within: .seconds(20)) {
            if let status = process.exitStatus {
                throw TestBedError("the agent ended with status \(status): \(process.errors)")
            }
            let report = try await control.status()
            return report.condition == .ready && report.state.attachedEndpoints == 3
        }
    }

    /// Writes a policy and waits until it is in force.
    func enforce(_ policy: String, as name: String = "policy.yaml") async throws {
        let before = try await control.status().state.generation
        try agent.writePolicy(name, policy)
        try await eventually("\(name) is in force", within: .seconds(5)) {
            try await control.status().state.generation > before
        }
    }

    /// Waits until no generation has been added for a moment: what was written last is in force.
    func settle() async throws {
        var last = try await control.status().state.generation
        var quiet = 0
        while quiet < 3 {
            try await Task.sleep(for: .milliseconds(100))
            let now = try await control.status().state.generation
            quiet = now == last ? quiet + 1 : 0
            last = now
        }
    }

    /// Flows kept by the agent that match a query.
    func flows(_ change: (inout FlowQuery) -> Void) async throws -> [FlowRecord] {
        var query = FlowQuery()
        query.last = 10_000
        change(&query)
        var records: [FlowRecord] = []
        try await control.flows(query) { line in
            records.append(try APICoding.decode(FlowRecord.self, from: line))
            return true
        }
        return records
    }

    /// Lets the client, and nobody else, reach the server on tcp/80.
    static let clientOnly = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: server, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: server}}
          policyTypes: [Ingress]
          ingress:
            - from: [{podSelector: {matchLabels: {app: client}}}]
              ports: [{port: 80}]

        """

    /// Lets the client reach tcp/80 of these peers, an element of a Cilium policy's egress, and nothing else.
    static func client(reaching peers: String) -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: client, namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: client}}
          egress:
            - \(peers)
              toPorts: [{ports: [{port: "80", protocol: TCP}]}]

        """
    }

    /// Lets everybody reach one UDP port of the server.
    static func udpOnly(_ port: Int) -> String {
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: server, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: server}}
          policyTypes: [Ingress]
          ingress: [{ports: [{port: \(port), protocol: UDP}]}]

        """
    }
}
