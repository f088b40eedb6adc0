// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ControlAPI
import TestBed
import Testing

/// The plugin called by real runtimes.
@Suite(.serialized) struct CNIRuntimeTests {
    /// Who is labelled `app: hasty`, or is a pod of that name, may speak to nobody.
    private static let hasty = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: hasty, namespace: default}
        spec:
          podSelector: {matchLabels: {app: hasty}}
          policyTypes: [Egress]
        ---
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: hasty, namespace: shop}
        spec:
          endpointSelector: {matchLabels: {io.kubernetes.pod.name: hasty}}
          egress: [{}]

        """

    private static func entry(_ agent: TestAgent, _ settings: String) -> String {
        """
        {"type": "bulkhead-cni", "bulkhead": {"socket": "\(agent.socketPath)",
         "pendingDirectory": "\(agent.directory)/state/cni-pending", \(settings)}}
        """
    }

    /// Tries again and again to ping with the first thing its process does; says so if it got through.
    private static func hastySender(to address: String) -> [String] {
        ["sh", "-c", "for i in 1 2 3 4 5; do ping -c 1 -W 1 \(address) >/dev/null && echo in; done; sleep 1000"]
    }

    private func start(_ agent: TestAgent, _ control: ControlClient) async throws {
        let process = try agent.start()
        try agent.writePolicy("policy.yaml", Self.hasty)
        try await eventually("the agent answers with the policy", within: .seconds(30)) {
            if let status = process.exitStatus {
                throw TestBedError("the agent ended with status \(status): \(process.errors)")
            }
            return (try? await control.policies().isEmpty) == false
        }
    }

    @Test(.timeLimit(.minutes(3))) func `podman's containers start closed and are known at once`() async throws {
        try await withTestBed(subnet: 65) { bed in
            let host = try await bed.host(isBridged: false)
            let agent = try await host.agent(
                engines: TestAgent.Engines(podman: bed.path("podman/podman.sock")))
            let control = ControlClient(transport: SocketTransport(path: agent.socketPath))
            let podman = try await bed.podman(
                in: host.namespace, chained: Self.entry(agent, "\"whenUnknown\": \"closed\", \"timeout\": 0"))
            _ = try await podman.startService()
            await #expect(throws: (any Error).self, "no agent, no container") {
                try await podman.runContainer("early")
            }
            try await start(agent, control)
            for round in 0..<3 {
                let name = "hasty\(round)"
                try await podman.runContainer(
                    name, labels: ["app": "hasty"], extra: ["--cap-add", "NET_RAW"],
                    command: Self.hastySender(to: "10.\(bed.byte).100.1"))
                try await eventually("\(name) is in force", within: .seconds(30)) {
                    let record = try await control.attachments().first { $0.endpoint == name }
                    return record?.state == .inForce && record?.source == "podman"
                }
            }
            let talker = try await podman.runContainer(
                "talker", extra: ["--cap-add", "NET_RAW"], command: Self.hastySender(to: "10.\(bed.byte).100.1"))
            try await eventually("the talker gets through", within: .seconds(30)) {
                try await podman.run("logs", "talker").contains("in")
            }
            for round in 0..<3 { #expect(try await podman.run("logs", "hasty\(round)").isEmpty) }
            try await podman.run("rm", "-f", "-t", "0", "talker")
            try await eventually("the attachment is gone", within: .seconds(30)) {
                try await !control.attachments().contains { $0.containerID == talker }
            }
        }
    }

    @Test(.timeLimit(.minutes(3))) func `containerd's pods have their policy before their first packet`() async throws {
        try await withTestBed(subnet: 66) { bed in
            let host = try await bed.host(isBridged: false)
            let agent = try await host.agent()
            let control = ControlClient(transport: SocketTransport(path: agent.socketPath))
            let podman = try await bed.podman(in: host.namespace)
            let range = "10.\(bed.byte).150"
            let list = """
                {"cniVersion": "1.0.0", "name": "podnet", "plugins": [{"type": "bridge", "bridge": "cri0",
                  "isGateway": true, "ipam": {"type": "host-local", "dataDir": "\(bed.path("ipam"))",
                  "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "\(range).0/24", "gateway": "\(range).1"}]]}},
                  {"type": "portmap", "capabilities": {"portMappings": true}},
                  \(Self.entry(agent, "\"workload\": \"attachment\""))]}
                """
            let containerd = try await bed.containerd(in: host.namespace, image: podman, network: list).engine
            await #expect(throws: (any Error).self, "no agent, no pod") {
                try await containerd.run("early", command: ["sleep", "1000"])
            }
            try await start(agent, control)
            let ping = ["ping", "-c", "1", "-W", "1", "\(range).1"]
            let hasty = try await containerd.run("hasty", command: ["sleep", "1000"])
            #expect(try await containerd.exec(hasty.container, ping).status != 0)
            let talker = try await containerd.run("talker", command: ["sleep", "1000"])
            #expect(try await containerd.exec(talker.container, ping).status == 0)
            let record = try #require(try await control.attachments().first { $0.containerID == talker.pod })
            #expect(record.state == .inForce && record.pod == "shop/talker" && record.network == "podnet")
            for pod in [hasty.pod, talker.pod] { try await containerd.remove(pod) }
            try await eventually("the attachments are gone", within: .seconds(30)) {
                try await control.attachments().allSatisfy { ![hasty.pod, talker.pod].contains($0.containerID) }
            }
        }
    }
}
