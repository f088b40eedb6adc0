// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// The host as an endpoint: what its policy says in both directions, and what no policy takes away.
@Suite(.serialized) struct HostEndpointTests {
    @Test func `the host's policy is enforced in and out, and every verdict names its rule`() async throws {
        try await withTestBed(subnet: 50) { bed in
            let host = try await HostBed(bed)
            _ = try await host.startAgent()
            let nearby = host.clientAddresses.map { $0.contains(":") ? "\($0)/128" : "\($0)/32" }
            let peers = "[\"\(nearby[0])\", \"\(nearby[1])\"]"
            let echo = "icmps: [{fields: [{type: 8, family: IPv4}, {type: 128, family: IPv6}]}]"
            let result = try await host.apply(
                HostBed.policy(
                    ingress: """
                        {fromCIDR: \(peers), \(HostBed.port(80))}, {fromCIDR: \(peers), \(HostBed.port(7001, "UDP"))},
                            {fromEntities: [world], \(echo)}
                        """,
                    egress: "{toCIDR: \(peers), \(HostBed.port(8080))}"))
            #expect(result.status == 0, "\(result.output)\(result.errors)")
            // tcp/22 and udp/53 are failsafe ports.
            let into = Probe.all([.tcp(22), .tcp(80), .udp(7001), .ping], host.hostAddresses)
            try await host.expect(into, Probe.all([.tcp(8080), .udp(53)], host.clientAddresses))
            let page = try await host.client.run(["curl", "-s", "--max-time", "2", "http://\(host.hostAddresses[0])/"])
            #expect(page.text == "the host")
            let flows = try await host.flows()
            let denied = flows.filter { $0.verdict == "deny" }
            #expect(Set(denied.map(\.direction)) == ["ingress", "egress"])
            #expect(denied.allSatisfy { $0.endpoint == "host" && $0.reason == "policy-default-deny" })
            #expect(denied.allSatisfy { $0.rule.contains("CiliumClusterwideNetworkPolicy/host") })
            #expect(flows.contains { $0.rule.hasPrefix("CiliumClusterwideNetworkPolicy/host ingress[0]") })
            #expect(flows.contains { $0.rule.hasPrefix("CiliumClusterwideNetworkPolicy/host egress[0]") })
        }
    }

    @Test func `failsafe ports stay open under deny-all, with the agent dead, until detach frees the host`()
        async throws
    {
        try await withTestBed(subnet: 50) { bed in
            let host = try await HostBed(bed)
            let agent = try await host.startAgent()
            let result = try await host.apply(HostBed.denyAll)
            #expect(result.status == 0, "SSH is a failsafe port: \(result.errors)")
            let (into, outOf) = (Probe.all([.tcp(22)], host.hostAddresses), Probe.all([.udp(53)], host.clientAddresses))
            try await host.expect(into, outOf)
            // The agent's own door is no network.
            #expect(try await host.agent.tool("status").status == 0)
            await agent.kill()
            try await host.expect(into, outOf, "the agent is dead")
            let detach = try await host.agent.tool("detach", "--bpffs", host.agent.pinDirectory)
            #expect(detach.status == 0, "\(detach.output)\(detach.errors)")
            let everything = (HostBed.into(host.hostAddresses), HostBed.outOf(host.clientAddresses))
            try await host.expect(everything.0, everything.1)
            #expect(try await host.host.namespace.run(["bpftool", "net", "show"]).output.contains("network") == false)
            #expect(try await bed.run(["find", host.agent.pinDirectory, "-type", "f"]).text.isEmpty)
        }
    }

    @Test func `a published port is judged at the host, what workloads send out is not`() async throws {
        try await withTestBed(subnet: 50) { bed in
            let host = try await HostBed(bed)
            let web = try await host.host.addWorkload("web", number: 2)
            _ = try web.namespace.start(["socat", "TCP6-LISTEN:80,ipv6only=0,fork,reuseaddr", "EXEC:cat"])
            try await host.publish(8088, web, port: 80)
            let published = Probe.all([.tcp(8088)], host.hostAddresses)
            try await eventually("the port is published") { try await host.client.reach(published) == published }
            _ = try await host.startAgent()
            try host.agent.writeWorkloads([(web, "web", ["app": "web"])])
            try await eventually("the workload is attached") {
                try await host.control.status().state.attachedEndpoints == 2
            }
            _ = try await host.apply(HostBed.denyAll).checked()
            #expect(try await host.client.reach(published).isEmpty)
            // Masqueraded: it leaves under the host's address and is not the host's.
            let outside = Probe.all([.tcp(8080), .udp(7002), .ping], host.clientAddresses)
            #expect(try await web.namespace.reach(outside, expecting: outside) == outside)
            #expect(try await host.host.namespace.reach(outside).isEmpty)
            let opened = HostBed.policy(
                ingress: "{fromEntities: [world], \(HostBed.port(8088))}", egress: "{toEntities: [none]}")
            _ = try await host.apply(opened).checked()
            #expect(try await host.client.reach(published, expecting: published) == published)
            try await host.expect(into: Probe.all([.tcp(22)], host.hostAddresses))
        }
    }
}

extension HostBed {
    /// All flows that the agent keeps.
    func flows() async throws -> [FlowRecord] {
        var query = FlowQuery()
        query.last = 10_000
        var records: [FlowRecord] = []
        try await control.flows(query) { line in
            records.append(try APICoding.decode(FlowRecord.self, from: line))
            return true
        }
        return records
    }

    /// Publishes a workload's port at the host and lets workloads out under the host's address, as runtimes do.
    func publish(_ port: Int, _ workload: TestWorkload, port inside: Int) async throws {
        let rules = """
            table inet bulkheadtest {
                chain pre {
                    type nat hook prerouting priority -100;
                    iifname "up0" meta nfproto ipv4 tcp dport \(port) dnat ip to \(workload.address4):\(inside)
                    iifname "up0" meta nfproto ipv6 tcp dport \(port) dnat ip6 to [\(workload.address6)]:\(inside)
                }
                chain post {
                    type nat hook postrouting priority 100;
                    oifname "up0" iifname "br0" masquerade
                }
            }
            """
        try await host.namespace.run(["nft", "-f", "-"], input: rules).checked()
    }
}
