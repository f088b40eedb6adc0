// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Containers of podman and Docker under one agent: whatever happens to them is in force within a second.
@Suite(.serialized) struct ContainerTests {
    private static let second = Duration.seconds(1)

    /// Lets containers with `app: client` reach the web server.
    private static let policy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: web, namespace: default}
        spec:
          podSelector: {matchLabels: {app: web}}
          policyTypes: [Ingress]
          ingress:
            - from: [{podSelector: {matchLabels: {app: client}}}]
              ports: [{port: 80}]

        """

    /// Containers with `app: hasty` may speak to nobody; all others may.
    private static let hasty = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: hasty, namespace: default}
        spec:
          podSelector: {matchLabels: {app: hasty}}
          policyTypes: [Egress]

        """

    @Test(.timeLimit(.minutes(3))) func `what happens to containers is in force within a second`() async throws {
        try await withTestBed(subnet: 63) { bed in
            let yard = try await ContainerYard(bed)
            let podman = yard.podman
            try await podman.runContainer(
                "web", labels: ["app": "web"], command: ["httpd", "-f", "-p", "[::]:80", "-h", "/www"])
            // To ping: podman 4.9 grants no raw sockets by default, 4.3 does.
            try await podman.runContainer("client", labels: ["app": "client"], extra: ["--cap-add", "NET_RAW"])
            try await podman.runContainer("intruder", labels: ["app": "intruder"])
            try await yard.startAgent(expecting: 3)
            let web = try await yard.addresses("web")
            try await yard.enforce(Self.policy)
            for address in web {
                try await yard.expectReach(address, from: "client")
                #expect(try await !yard.canReach(address, from: "intruder"))
            }
            // Neighbour discovery and what else is link-local belongs to a container like its other addresses.
            try await eventually("the bridge answers under its link-local address", within: .seconds(5)) {
                try await yard.pingsLinkLocal(from: "client")
            }

            // Another client with equal labels: the same identity, let in as soon as it is known.
            try await podman.runContainer("second", labels: ["app": "client"])
            try await within(Self.second, "podman run") { try await yard.endpoint("second")?.condition == .enforced }
            try await yard.expectReach(web[0], from: "second")
            let (one, two) = (try await yard.endpoint("client"), try await yard.endpoint("second"))
            #expect(one?.identity == two?.identity && one?.id != two?.id)

            try await podman.run("rename", "second", "renamed")
            try await within(Self.second, "podman rename") { try await yard.endpoint("renamed")?.id == two?.id }

            try await podman.run("restart", "-t", "0", "renamed")
            let index = try await yard.hostIndex(of: "renamed")
            try await within(Self.second, "podman restart") {
                let endpoint = try await yard.endpoint("renamed")
                return endpoint?.interfaceIndex == index && endpoint?.condition == .enforced
            }
            #expect(try await yard.endpoint("renamed")?.identity == one?.identity)
            try await yard.expectReach(web[1], from: "renamed")

            // Off its network and back: another link and another address.
            let before = try await yard.addresses("renamed")
            try await podman.run("network", "disconnect", "testnet", "renamed")
            try await within(Self.second, "podman network disconnect") {
                try await yard.endpoint("renamed")?.condition != .enforced
            }
            try await podman.run("network", "connect", "testnet", "renamed")
            let after = try await yard.addresses("renamed")
            #expect(before != after)
            try await within(Self.second, "podman network connect") {
                let endpoint = try await yard.endpoint("renamed")
                return endpoint?.condition == .enforced && Set(after).isSubset(of: endpoint?.addresses ?? [])
            }
            try await yard.expectReach(web[0], from: "renamed")

            try await podman.run("rm", "-f", "-t", "0", "renamed")
            try await within(Self.second, "podman rm") { try await yard.endpoint("renamed") == nil }
        }
    }

    /// Each tries to reach the web server with the first thing its first process does.
    @Test(.timeLimit(.minutes(2))) func `a container that starts closed sends nothing before it is known`() async throws
    {
        try await withTestBed(subnet: 64) { bed in
            let yard = try await ContainerYard(bed, configuration: "startClosed: [cni0]")
            let podman = yard.podman
            try await podman.runContainer(
                "web", labels: ["app": "web"], command: ["httpd", "-f", "-p", "[::]:80", "-h", "/www"])
            try yard.agent.writePolicy("policy.yaml", Self.hasty)
            try await yard.startAgent(expecting: 1)
            let web = try await yard.addresses("web")[0]
            for round in 0..<5 {
                try await podman.runContainer(
                    "hasty\(round)", labels: ["app": "hasty"],
                    command: [
                        "sh", "-c", "for i in 1 2 3 4 5; do echo x | nc -w 1 \(web) 80 && echo in; done; sleep 1000",
                    ])
                try await within(Self.second, "hasty\(round) is known") {
                    try await yard.endpoint("hasty\(round)")?.condition == .enforced
                }
                #expect(try await podman.run("logs", "hasty\(round)").isEmpty)
            }
            #expect(try await yard.control.endpoints().allSatisfy { !$0.name.hasPrefix("init:") })
            // A client is let in once it is known; until then it was nobody.
            try await podman.runContainer("client", labels: ["app": "client"])
            try await yard.expectReach(web, from: "client")
            let identities = try await yard.control.endpoints().map(\.identity)
            #expect(identities.allSatisfy { $0 >= 256 })
        }
    }

    @Test(.timeLimit(.minutes(3))) func `podman and Docker are followed at once, and either may restart`() async throws
    {
        try await withTestBed(subnet: 63) { bed in
            let yard = try await ContainerYard(bed, withDocker: true)
            let (podman, docker) = (yard.podman, try #require(yard.docker))
            try await podman.runContainer(
                "web", labels: ["app": "web"], command: ["httpd", "-f", "-p", "[::]:80", "-h", "/www"])
            try await docker.engine.runContainer("client", labels: ["app": "client"])
            try await podman.run("pod", "create", "--name", "pod", "--label", "app=client", "--network", "testnet")
            try await podman.run("run", "-d", "--pod", "pod", "--name", "inner", TestPodman.image)
            try await yard.startAgent(expecting: 3)
            try await yard.enforce(Self.policy)
            let web = try await yard.addresses("web")[0]
            #expect(try await yard.endpoint("client")?.source == "docker")
            #expect(try await yard.endpoint("pod")?.source == "podman")
            // Who runs it does not matter: labels decide.
            #expect(try await yard.endpoint("client")?.identity == yard.endpoint("pod")?.identity)
            try await yard.expectReach(web, from: "inner")
            #expect(try await docker.engine.canReach(web, from: "client"))

            try await docker.engine.runContainer("intruder", labels: ["app": "intruder"])
            try await within(Self.second, "docker run") {
                try await yard.endpoint("intruder")?.condition == .enforced
            }
            #expect(try await !docker.engine.canReach(web, from: "intruder"))
            try await docker.engine.run("restart", "-t", "0", "intruder")
            try await within(Self.second, "docker restart") {
                try await yard.endpoint("intruder")?.condition == .enforced
            }
            #expect(try await !docker.engine.canReach(web, from: "intruder"))

            // The event stream breaks, things happen, the service returns: everything is read anew.
            await yard.service.kill()
            try await podman.run("pod", "rm", "-f", "-t", "0", "pod")
            try await podman.runContainer("late", labels: ["app": "intruder"])
            #expect(try await docker.engine.canReach(web, from: "client"), "the other engine is not concerned")
            _ = try await podman.startService()
            try await within(.seconds(2), "podman's service restarted") {
                let (late, pod) = (try await yard.endpoint("late"), try await yard.endpoint("pod"))
                return late?.condition == .enforced && pod == nil
            }
            #expect(try await !yard.canReach(web, from: "late"))

            // Docker takes its containers down with it; as long as it is away nobody can tell the agent so.
            await docker.daemon.stop(within: .seconds(20))
            _ = try await docker.engine.startDaemon()
            try await within(.seconds(2), "Docker restarted") { try await yard.endpoint("client") == nil }
            try await docker.engine.run("start", "client")
            try await within(Self.second, "docker start") {
                try await yard.endpoint("client")?.condition == .enforced
            }
            #expect(try await docker.engine.canReach(web, from: "client"))
        }
    }
}
