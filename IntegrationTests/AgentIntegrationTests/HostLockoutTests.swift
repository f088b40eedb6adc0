// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Nobody locks people out of the host by mistake: failsafe ports here leave SSH out, so that policy could close it.
@Suite(.serialized) struct HostLockoutTests {
    private static let failsafes = ["egress udp/53"]

    @Test func `a policy that would close SSH is refused, goes through with force, and holds over a restart`()
        async throws
    {
        try await withTestBed(subnet: 51) { bed in
            let host = try await HostBed(bed, failsafes: Self.failsafes)
            let agent = try await host.startAgent()
            let ssh = Probe.all([.tcp(22)], host.hostAddresses)
            let refused = try await host.apply(HostBed.denyAll)
            #expect(refused.status != 0)
            for words in [
                "would close TCP port 22", "CiliumClusterwideNetworkPolicy/host", "ingress tcp/22", "--force",
            ] {
                #expect(refused.errors.contains(words), "\(refused.errors)")
            }
            // The watched directory knows no force.
            try host.agent.writePolicy("host.yaml", HostBed.denyAll)
            try await eventually("the refusal is shown") {
                try await host.control.status().problems.contains { $0.message.contains("would close TCP port 22") }
            }
            try await host.expect(into: HostBed.into(host.hostAddresses), "refused whole")
            try await bed.shell("rm \(host.agent.policyDirectory)/host.yaml")
            try await eventually("nothing is wrong") { try await host.control.status().problems.isEmpty }
            #expect(try await host.apply(HostBed.denyAll, ["--dry-run"]).status != 0, "a dry run says so too")
            #expect(try await host.apply(HostBed.denyAll, ["--force"]).status == 0)
            #expect(try await host.client.reach(ssh).isEmpty)
            await agent.kill()
            _ = try await host.startAgent()
            #expect(try await host.client.reach(ssh).isEmpty, "somebody insisted on it")
            #expect(try await host.control.status().problems.isEmpty)
        }
    }

    @Test func `the SSH session out of which a policy is applied is kept`() async throws {
        try await withTestBed(subnet: 51) { bed in
            let host = try await HostBed(bed, failsafes: Self.failsafes)
            _ = try await host.startAgent()
            let onlyUsual = HostBed.policy(ingress: "{fromEntities: [world], \(HostBed.port(22))}")
            for (address, own) in zip(host.clientAddresses, host.hostAddresses) {
                let session = ["SSH_CONNECTION": "\(address) 51000 \(own) 2222"]
                let refused = try await host.apply(onlyUsual, environment: session)
                #expect(refused.status != 0)
                #expect(refused.errors.contains("would close TCP port 2222 of this host to \(address)"))
            }
            try await host.expect(into: HostBed.into(host.hostAddresses))
            // It need not be open to everybody.
            let nearby = HostBed.policy(
                ingress: "{fromCIDR: [\"\(host.clientAddresses[0])/32\"], \(HostBed.port(22))}")
            let session = ["SSH_CONNECTION": "\(host.clientAddresses[0]) 51000 \(host.hostAddresses[0]) 22"]
            #expect(try await host.apply(nearby).status != 0, "nobody knows whence the change is asked for")
            #expect(try await host.apply(nearby, environment: session).status == 0)
            try await host.expect(into: Probe.all([.tcp(22)], [host.hostAddresses[0]]))
        }
    }

    @Test func `policies found at the start do not close SSH that nobody closed by force`() async throws {
        try await withTestBed(subnet: 51) { bed in
            let host = try await HostBed(bed, failsafes: Self.failsafes)
            try host.agent.writePolicy("host.yaml", HostBed.denyAll)
            _ = try await host.startAgent()
            let problem = try await eventuallySome("it is said") { try await host.control.status().problems.first }
            #expect(problem.message.contains("would close TCP port 22") && problem.message.contains("it is kept open"))
            try await host.expect(into: Probe.all([.tcp(22)], host.hostAddresses))
            // Opened by policy, the port needs no keeping any more.
            try host.agent.writePolicy(
                "ssh.yaml", HostBed.policy("ssh", ingress: "{fromEntities: [world], \(HostBed.port(22))}"))
            try await eventually("the problem is gone") { try await host.control.status().problems.isEmpty }
            try await host.expect(into: Probe.all([.tcp(22)], host.hostAddresses))
        }
    }
}
