// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Connections of the host that were open when its policy came.
@Suite(.serialized) struct KeptConnectionTests {
    @Test func `connections older than the first default deny live on, new ones do not, a deny rule cuts them`()
        async throws
    {
        try await withTestBed(subnet: 50) { bed in
            let host = try await HostBed(bed)
            var talks: [Talk] = []
            for (hostAddress, clientAddress) in zip(host.hostAddresses, host.clientAddresses) {
                talks.append(try Talk(from: host.client, to: hostAddress, port: 2222))
                talks.append(try Talk(from: host.host.namespace, to: clientAddress, port: 8080))
            }
            for talk in talks { try await eventually("\(talk) goes on") { talk.answers > 1 } }
            let agent = try await host.startAgent()
            #expect(try await host.apply(HostBed.denyAll).status == 0)
            let failsafe = (Probe.all([.tcp(22)], host.hostAddresses), Probe.all([.udp(53)], host.clientAddresses))
            try await host.expect(failsafe.0, failsafe.1, "denied")
            try await expectProgress(talks)
            // Another commit, of the same policy in other words, judges them again; so does another agent.
            #expect(try await host.apply(HostBed.policy("more", egress: "{toCIDR: [192.0.2.1/32]}")).status == 0)
            try await expectProgress(talks)
            await agent.kill()
            _ = try await host.startAgent()
            try await expectProgress(talks)
            let rules = try await host.flows().map(\.rule)
            #expect(rules.contains("kept connection") || rules.isEmpty)
            try await host.expect(failsafe.0, failsafe.1, "after a restart")
            let cut = """
                apiVersion: cilium.io/v2
                kind: CiliumClusterwideNetworkPolicy
                metadata: {name: cut}
                spec:
                  nodeSelector: {}
                  ingressDeny: [{fromEntities: [world]}]
                  egressDeny: [{toEntities: [world]}]

                """
            _ = try await host.apply(cut)
            let before = talks.map(\.answers)
            try await Task.sleep(for: .milliseconds(700))
            let after = talks.map(\.answers)
            #expect(zip(before, after).allSatisfy { $1 - $0 <= 1 }, "\(before) \(after)")
        }
    }

    private func expectProgress(_ talks: [Talk], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for talk in talks {
            let before = talk.answers
            try await eventually("\(talk) goes on") { talk.answers > before + 3 }
        }
    }
}

/// A connection over which something is said and echoed ten times a second.
private struct Talk: CustomStringConvertible {
    let description: String
    private let process: SpawnedProcess

    init(from namespace: TestNamespace, to address: String, port: Int) throws {
        description = "the connection to \(address) port \(port)"
        let script = """
            exec 3<>/dev/tcp/\(address)/\(port)
            while sleep 0.1; do echo hello >&3; read -r -t 20 answer <&3 || exit 1; echo "$answer"; done
            """
        process = try namespace.start(["bash", "-c", script])
    }

    var answers: Int { process.output.split(separator: "\n").count }
}
