// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Policies without flows (Calico's doNotTrack) at the devices of a host that is closed or open otherwise.
@Suite(.serialized) struct UntrackedTests {
    private static func policy(_ name: String, _ rules: String) -> String {
        """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: \(name)}
        spec: {selector: global(), doNotTrack: true, applyOnForward: true, \(rules)}

        """
    }

    private static let into81 = "ingress: [{action: Allow, protocol: TCP, destination: {ports: [81]}}]"

    /// Lines about port 81 in the flow table.
    private func flows(_ host: HostBed) async throws -> [Substring] {
        try await host.agent.tool("map", "dump", "conntrack").checked().output.split(separator: "\n")
            .filter { $0.contains(":81 ") || $0.hasSuffix(":81") || $0.contains(":81\t") }
    }

    @Test func `a connection needs a rule for each direction, and leaves no flow`() async throws {
        try await withTestBed(subnet: 56) { bed in
            let host = try await HostBed(bed)
            _ = try await host.startAgent()
            _ = try await host.apply(HostBed.denyAll).checked()
            let failsafe = Probe.all([.tcp(22)], host.hostAddresses)
            _ = try await host.apply(Self.policy("early", Self.into81)).checked()
            try await host.expect(into: failsafe, "its answers are the host's, and denied")
            _ = try await host.apply(
                Self.policy("early", Self.into81 + ", egress: [{action: Allow, protocol: TCP}]")
            ).checked()
            try await host.expect(into: failsafe.union(Probe.all([.tcp(81)], host.hostAddresses)), "both ways")
            #expect(try await flows(host).isEmpty)
            let reported = try await host.flows().filter { $0.rule.hasPrefix("GlobalNetworkPolicy/early") }
            #expect(Set(reported.map(\.direction)) == ["ingress", "egress"])
            #expect(reported.allSatisfy { $0.verdict == "allow" && $0.endpoint == "host" })
            // The host's own policy again, once it is gone.
            _ = try await host.agent.tool("policy", "delete", "GlobalNetworkPolicy/early").checked()
            try await host.expect(into: failsafe)
        }
    }

    @Test func `a deny cuts a running connection, and failsafe ports stay open`() async throws {
        try await withTestBed(subnet: 56) { bed in
            let host = try await HostBed(bed)
            _ = try await host.startAgent()
            let pipe = bed.path("talk")
            try await bed.shell("mkfifo \(pipe)")
            let talk = try host.client.start(
                ["sh", "-c", "exec 3<>\(pipe); socat -t 1 - TCP:\(host.hostAddresses[0]):81 <&3"])
            try await bed.shell("echo before > \(pipe)")
            try await eventually("the echo comes back") { talk.output.contains("before") }
            _ = try await host.apply(
                Self.policy("cut", "ingress: [{action: Deny}], egress: [{action: Deny, protocol: UDP}]")
            ).checked()
            try await bed.shell("echo after > \(pipe)")
            // Replies of what the host asks come in as any packet; udp/53 is a failsafe port, whoever began.
            try await host.expect(
                Probe.all([.tcp(22)], host.hostAddresses), Probe.all([.udp(53)], host.clientAddresses))
            #expect(!talk.output.contains("after"))
            let denied = try await host.flows().filter { $0.verdict == "deny" }
            #expect(!denied.isEmpty && denied.allSatisfy { $0.rule.hasPrefix("GlobalNetworkPolicy/cut") })
            let explained = try await host.host.namespace.run(
                [
                    TestAgent.product("bulkhead"), "explain", "--from", host.clientAddresses[0], "--to", "host",
                    "--port", "81",
                ], environment: ["BULKHEAD_SOCKET": host.agent.socketPath])
            #expect(explained.output.contains("untracked ingress of host: deny"), "\(explained.output)")
            _ = try await host.agent.tool("policy", "delete", "GlobalNetworkPolicy/cut").checked()
            try await eventually("the connection lives on") { talk.output.contains("after") }
        }
    }

    @Test func `SSH that is no failsafe port is not closed unasked, and audit mode closes nothing`() async throws {
        try await withTestBed(subnet: 56) { bed in
            let host = try await HostBed(bed, failsafes: [])
            _ = try await host.startAgent()
            let cut = Self.policy("cut", "ingress: [{action: Deny, protocol: TCP}]")
            let refused = try await host.apply(cut)
            #expect(refused.status != 0 && refused.errors.contains("TCP port 22"), "\(refused.errors)")
            let audited = cut.replacing("{name: cut}", with: "{name: cut, annotations: {bulkhead.dev/mode: audit}}")
            _ = try await host.apply(audited).checked()
            try await host.expect(into: HostBed.into(host.hostAddresses), "audit mode")
            let audits = try await host.flows().filter { $0.verdict == "audit" }
            #expect(!audits.isEmpty && audits.allSatisfy { $0.rule.hasPrefix("GlobalNetworkPolicy/cut") })
        }
    }
}
