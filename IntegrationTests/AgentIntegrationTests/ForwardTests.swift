// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// What passes through the host on its way from a client outside to a server behind it.
@Suite(.serialized) struct ForwardTests {
    /// A host with a server behind another device, where it serves tcp/80 and tcp/81; the client's routes lead there.
    private struct Field {
        let host: HostBed
        let server: TestNamespace
        let addresses: [String]

        init(_ bed: TestBed) async throws {
            host = try await HostBed(bed, devices: ["up0", "down0"])
            server = try await bed.namespace("behind")
            let (range4, range6) = ("100.\(64 + bed.subnet).8", "fdbb:\(bed.subnet):8:")
            addresses = ["\(range4).2", "\(range6):2"]
            try await bed.veth(
                host.host.namespace, "down0", addresses: ["\(range4).1/24", "\(range6):1/64"],
                to: server, "eth0", peerAddresses: ["\(range4).2/24", "\(range6):2/64"])
            try await bed.ipBatch(server, ["route add default via \(range4).1", "route add ::/0 via \(range6):1"])
            for port in [80, 81] {
                _ = try server.start(["socat", "TCP6-LISTEN:\(port),ipv6only=0,fork,reuseaddr", "EXEC:cat"])
            }
            let all = Probe.all([.tcp(80), .tcp(81)], addresses)
            try await eventually("the servers behind the host answer") { try await host.client.reach(all) == all }
            _ = try await host.startAgent()
            try await eventually("both devices are attached") {
                let attached = try await host.control.status().kernel.attachments.map(\.interface)
                return Set(attached).isSuperset(of: ["up0", "down0"])
            }
        }

        /// Publishes the server's tcp/80 at the host's tcp/8088.
        func publish() async throws {
            let rules = """
                table inet bulkheadtest {
                    chain pre {
                        type nat hook prerouting priority -100;
                        iifname "up0" meta nfproto ipv4 tcp dport 8088 dnat ip to \(addresses[0]):80
                        iifname "up0" meta nfproto ipv6 tcp dport 8088 dnat ip6 to [\(addresses[1])]:80
                    }
                }
                """
            try await host.host.namespace.run(["nft", "-f", "-"], input: rules).checked()
        }

        func apply(_ spec: String, name: String) async throws {
            _ = try await host.apply(
                "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: \(name)}\nspec: {\(spec)}\n"
            ).checked()
        }

        func expect(_ ports: [Int], _ moment: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let wanted = Probe.all(ports.map { .tcp($0) }, addresses)
            let reached = try await host.client.reach(
                Probe.all([.tcp(80), .tcp(81)], addresses), expecting: wanted)
            #expect(reached == wanted, "\(moment)", sourceLocation: sourceLocation)
        }
    }

    private static let allow80 = "{action: Allow, protocol: TCP, destination: {ports: [80]}}"

    @Test func `policies on forward judge what passes through, where it comes in and where it leaves`() async throws {
        try await withTestBed(subnet: 51) { bed in
            let field = try await Field(bed)
            try await field.apply("selector: global(), ingress: [{action: Allow}]", name: "own")
            try await field.expect([80, 81], "a policy without applyOnForward says nothing about it")
            try await field.apply(
                "selector: global(), applyOnForward: true, types: [Ingress], ingress: [\(Self.allow80)]",
                name: "transit")
            try await field.expect([80], "ingress of what passes through")
            let denied = try await field.host.flows().filter { $0.verdict == "deny" }
            #expect(!denied.isEmpty && denied.allSatisfy { $0.rule.contains("GlobalNetworkPolicy/transit") })
            let explained = try await field.host.host.namespace.run(
                [
                    TestAgent.product("bulkhead"), "explain", "--from", field.host.clientAddresses[0], "--to",
                    field.addresses[0], "--port", "81",
                ], environment: ["BULKHEAD_SOCKET": field.host.agent.socketPath])
            #expect(explained.output.contains("ingress of what passes through the host: deny"), "\(explained.output)")
            try await field.apply(
                "selector: global(), applyOnForward: true, order: 1, types: [Egress], "
                    + "egress: [{action: Deny, protocol: TCP, destination: {ports: [80]}}, {action: Pass}]",
                name: "leaving")
            try await field.expect([], "egress of what passes through")
            for name in ["leaving", "transit"] {
                _ = try await field.host.agent.tool("policy", "delete", "GlobalNetworkPolicy/\(name)").checked()
            }
            try await field.expect([80, 81], "without them it is open again")
        }
    }

    @Test func `policies before translation see the published port, and need no other to allow it`() async throws {
        try await withTestBed(subnet: 51) { bed in
            let field = try await Field(bed)
            try await field.publish()
            let published = Probe.all([.tcp(8088)], field.host.hostAddresses)
            #expect(try await field.host.client.reach(published, expecting: published) == published)
            try await field.apply(
                "selector: global(), preDNAT: true, applyOnForward: true, "
                    + "ingress: [{action: Deny, protocol: TCP, destination: {ports: [8088]}}]", name: "early")
            #expect(try await field.host.client.reach(published).isEmpty)
            // The server's own port is another one, and no rule is about it.
            try await field.expect([80, 81], "no default deny follows")
            try await field.apply(
                "selector: global(), preDNAT: true, applyOnForward: true, "
                    + "ingress: [{action: Allow, protocol: TCP, destination: {ports: [8088]}}]", name: "early")
            _ = try await field.host.apply(HostBed.denyAll).checked()
            #expect(try await field.host.client.reach(published, expecting: published) == published)
            try await field.host.expect(into: Probe.all([.tcp(22)], field.host.hostAddresses))
        }
    }
}
