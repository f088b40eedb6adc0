// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// A namespace that plays the host as an endpoint of its own agent, with an uplink to a client outside.
///
/// The host serves nginx on tcp/80, echoes on tcp/22 (in the place of SSH), tcp/81, tcp/2222 and udp/7001; the client
/// serves tcp/8080 and tcp/8081 and echoes on udp/53 and udp/7002. Over both families.
struct HostBed {
    let bed: TestBed
    let host: TestHost
    let agent: TestAgent
    let client: TestNamespace

    /// The host's addresses on its uplink.
    let hostAddresses: [String]
    /// The client's.
    let clientAddresses: [String]

    var control: ControlClient { ControlClient(transport: SocketTransport(path: agent.socketPath)) }

    /// Builds it all, without starting the agent.
    ///
    /// `failsafes`: nil for the usual ones. `services`: entries of the list of services. `devices`: of the host endpoint.
    /// `more`: lines of the configuration.
    init(
        _ bed: TestBed, failsafes: [String]? = nil, services: [String] = [], devices: [String] = ["up0"],
        more: String = ""
    ) async throws {
        self.bed = bed
        host = try await bed.host()
        let ports = failsafes.map { ", failsafePorts: [\($0.joined(separator: ", "))]" } ?? ""
        let named = services.isEmpty ? "" : ", services: [\(services.joined(separator: ", "))]"
        agent = try await host.agent(
            configuration:
                "hostEndpoint: {enabled: true, devices: [\(devices.joined(separator: ", "))]\(ports)\(named)}\n\(more)")
        client = try await bed.namespace("out")
        let (range4, range6) = ("100.\(64 + bed.subnet).7", "fdbb:\(bed.subnet):7:")
        hostAddresses = ["\(range4).1", "\(range6):1"]
        clientAddresses = ["\(range4).2", "\(range6):2"]
        try await bed.veth(
            host.namespace, "up0", addresses: ["\(range4).1/24", "\(range6):1/64"],
            to: client, "eth0", peerAddresses: ["\(range4).2/24", "\(range6):2/64"])
        try await bed.ipBatch(client, ["route add default via \(range4).1", "route add ::/0 via \(range6):1"])
        try await serve()
    }

    private func serve() async throws {
        try writeFile(
            bed.path("nginx.conf"),
            """
            daemon off; pid \(bed.path("nginx.pid")); error_log stderr; user root;
            events {}
            http {
                access_log off;
                client_body_temp_path \(bed.path("nginx")); proxy_temp_path \(bed.path("nginx"));
                fastcgi_temp_path \(bed.path("nginx")); uwsgi_temp_path \(bed.path("nginx"));
                scgi_temp_path \(bed.path("nginx"));
                server { listen 80; listen [::]:80; location / { return 200 "the host\\n"; } }
            }

            """)
        _ = try host.namespace.start(["nginx", "-e", "stderr", "-c", bed.path("nginx.conf")])
        for (namespace, tcp, udp) in [(host.namespace, [22, 81, 2222], [7001]), (client, [8080, 8081], [53, 7002])] {
            for port in tcp {
                _ = try namespace.start(["socat", "TCP6-LISTEN:\(port),ipv6only=0,fork,reuseaddr", "EXEC:cat"])
            }
            for port in udp {
                _ = try namespace.start([
                    "socat", "-T", "2", "UDP6-LISTEN:\(port),ipv6only=0,fork,reuseaddr", "EXEC:cat",
                ])
            }
        }
        try await eventually("all servers answer") {
            let missing = try await differences(HostBed.into(hostAddresses), HostBed.outOf(clientAddresses))
            guard missing.isEmpty else { throw TestBedError("not reached: \(missing)") }
            return true
        }
    }

    /// Everything that is served at the host.
    static func into(_ addresses: [String]) -> Set<Probe> {
        Probe.all([.tcp(22), .tcp(80), .tcp(81), .tcp(2222), .udp(7001), .ping], addresses)
    }

    /// Everything that is served outside.
    static func outOf(_ addresses: [String]) -> Set<Probe> {
        Probe.all([.tcp(8080), .tcp(8081), .udp(53), .udp(7002), .ping], addresses)
    }

    /// What is reached and should not be, and the other way round, from outside and from the host; empty if all is as
    /// expected.
    func differences(_ into: Set<Probe>, _ outOf: Set<Probe>) async throws -> Set<Probe> {
        async let reachedInto = client.reach(HostBed.into(hostAddresses), expecting: into)
        async let reachedOutOf = host.namespace.reach(HostBed.outOf(clientAddresses), expecting: outOf)
        return try await reachedInto.symmetricDifference(into).union(reachedOutOf.symmetricDifference(outOf))
    }

    /// Expects that exactly this is reached, from outside and from the host.
    func expect(
        _ into: Set<Probe>, _ outOf: Set<Probe>, _ moment: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let found = try await differences(into, outOf)
        #expect(found.isEmpty, "\(moment) \(found)", sourceLocation: sourceLocation)
    }

    /// The same for what reaches the host only.
    func expect(
        into: Set<Probe>, _ moment: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let reached = try await client.reach(HostBed.into(hostAddresses), expecting: into)
        let found = reached.symmetricDifference(into)
        #expect(found.isEmpty, "\(moment) \(found)", sourceLocation: sourceLocation)
    }

    /// Starts the agent and waits until the host is attached.
    func startAgent(_ flags: [String] = []) async throws -> SpawnedProcess {
        let process = try agent.start(flags)
        try await eventually("the agent has attached the host", within: .seconds(20)) {
            if let status = process.exitStatus {
                throw TestBedError("the agent ended with status \(status): \(process.errors)")
            }
            let report = try await control.status()
            return report.condition != .starting && report.kernel.attachments.contains { $0.interface == "up0" }
        }
        return process
    }

    /// Applies a policy with the command-line tool, and more of its arguments.
    func apply(
        _ policy: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) async throws -> CommandResult {
        try await host.namespace.run(
            [TestAgent.product("bulkhead"), "policy", "apply", "-f", "-"] + arguments,
            environment: ["BULKHEAD_SOCKET": agent.socketPath].merging(environment) { $1 }, input: policy)
    }

    /// A policy for the host.
    ///
    /// `ingress`, `egress`: elements, or nothing for a direction that stays open.
    static func policy(_ name: String = "host", ingress: String? = nil, egress: String? = nil) -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumClusterwideNetworkPolicy
        metadata: {name: \(name)}
        spec:
          nodeSelector: {}

        """ + (ingress.map { "  ingress: [\($0)]\n" } ?? "") + (egress.map { "  egress: [\($0)]\n" } ?? "")
    }

    /// Nothing in, nothing out.
    static let denyAll = policy(ingress: "{fromEntities: [none]}", egress: "{toEntities: [none]}")

    /// A `toPorts` of one port.
    static func port(_ number: Int, _ proto: String = "TCP") -> String {
        "toPorts: [{ports: [{port: \"\(number)\", protocol: \(proto)}]}]"
    }
}
